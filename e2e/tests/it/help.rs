//! What `--help` says.

use crate::support::ok;

#[test]
fn every_command_shows_a_worked_example() {
    let commands = [
        "demo", "broker", "produce", "consume", "cat", "s3", "crawl", "sql", "verify", "bench", "chaos",
    ];
    let of_topics = ["create", "list", "describe", "delete"];
    let all = commands
        .iter()
        .map(|name| vec![*name])
        .chain(of_topics.iter().map(|name| vec!["topic", name]))
        .chain(["dump", "verify", "rebuild"].iter().map(|name| vec!["log", name]));
    for mut command in all {
        let called = format!("tickertape {}", command.join(" "));
        command.push("--help");
        let help = ok(&command);
        let (_, examples) = help
            .split_once("Example")
            .unwrap_or_else(|| panic!("{called}: no example"));
        assert!(examples.contains(&called), "{called}: the example is of something else");
        assert!(!help.starts_with("Usage"), "{called}: it does not say what it is for");
    }
}

#[test]
fn the_binary_lists_its_commands() {
    let help = ok(&["--help"]);
    for command in [
        "demo", "broker", "topic", "produce", "consume", "cat", "s3", "crawl", "sql", "verify", "bench", "chaos",
    ] {
        let line = help
            .lines()
            .find(|line| line.trim_start().starts_with(&format!("{command} ")));
        assert!(
            line.is_some_and(|line| line.trim().len() > command.len() + 5),
            "{command} is not explained:\n{help}"
        );
    }
}
