//! One broker, and the Java machine in which the tools run against it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::script::{Invocation, Step};

/// How long a tool is run again for what it is to print.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a tool printed and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub exit: i64,
    pub stdout: String,
    pub stderr: String,
    pub ms: u64,
}

/// A broker's side of the comparison.
pub(super) struct Lane {
    pub bootstrap: String,
    /// Where the broker has its partitions.
    pub data_dir: PathBuf,
    /// Where the files of the cases are.
    pub files: TempDir,
    java: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Lane {
    /// Starts the Java machine for a broker.
    pub(super) fn start(bootstrap: &str, data_dir: PathBuf) -> Lane {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/apache_tools/Tools.java");
        let mut java = tickertape_judge::apache::java()
            .expect("Java is here")
            .args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            // On standard error. Warnings tell what a client will try again, which is a matter of time.
            .args([
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
                "-Dorg.slf4j.simpleLogger.showThreadName=false",
            ])
            .arg(source)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Java starts");
        Lane {
            bootstrap: bootstrap.to_owned(),
            data_dir,
            files: tempfile::tempdir().expect("a directory"),
            requests: java.stdin.take().expect("it is piped"),
            answers: BufReader::new(java.stdout.take().expect("it is piped")),
            java,
        }
    }

    /// Does every step in order; each tool's outcome.
    pub(super) fn run(&mut self, steps: &[Step]) -> Vec<Outcome> {
        let mut outcomes: Vec<Outcome> = Vec::new();
        for step in steps {
            match step {
                Step::Tool(invocation) => {
                    let deadline = Instant::now() + PATIENCE;
                    let mut outcome = self.invoke(invocation);
                    while invocation
                        .until
                        .as_ref()
                        .is_some_and(|text| !outcome.stdout.contains(text))
                        && Instant::now() < deadline
                    {
                        outcome = self.invoke(invocation);
                    }
                    outcomes.push(outcome);
                }
                Step::Join { name, topic, config } => {
                    self.do_it(json!({ "join": name, "topic": topic, "config": self.config(config) }));
                }
                Step::Begin { name, topic, config } => {
                    self.do_it(json!({ "begin": name, "topic": topic, "config": self.config(config) }));
                }
                Step::End { name, how } => self.do_it(json!({ "end": name, "how": how })),
                Step::Leave(name) => {
                    self.ask(&json!({ "leave": name }));
                }
                Step::File { name, text } => self.write(name, text),
                Step::Save(name) => {
                    let text = outcomes.last().expect("a tool ran").stdout.clone();
                    self.write(name, &text);
                }
            }
        }
        outcomes
    }

    /// A client's properties, with where the broker is.
    fn config<'a>(&'a self, config: &'a [(String, String)]) -> BTreeMap<&'a str, &'a str> {
        let given = config.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        given.chain([("bootstrap.servers", self.bootstrap.as_str())]).collect()
    }

    /// What has to succeed.
    fn do_it(&mut self, request: Value) {
        let answer = self.ask(&request);
        assert!(answer["failed"].is_null(), "{request}: {answer}");
    }

    fn invoke(&mut self, invocation: &Invocation) -> Outcome {
        let mut arguments: Vec<String> = Vec::new();
        if invocation.tool.takes_bootstrap {
            arguments.extend(["--bootstrap-server".to_owned(), self.bootstrap.clone()]);
        }
        arguments.extend(invocation.arguments.iter().map(|argument| self.fill(argument)));
        let answer = self.ask(&json!({
            "main": invocation.tool.main,
            "args": arguments,
            "stdin": invocation.stdin,
        }));
        let text = |field: &str| answer[field].as_str().unwrap_or_default().to_owned();
        Outcome {
            exit: answer["exit"].as_i64().expect("an exit code"),
            stdout: text("stdout"),
            stderr: text("stderr"),
            ms: answer["ms"].as_u64().unwrap_or_default(),
        }
    }

    /// An argument with the names in braces replaced by what they stand for here.
    fn fill(&self, argument: &str) -> String {
        let mut filled = argument.replace("{bootstrap}", &self.bootstrap);
        for (kind, directory, file) in [
            ("{file:", self.files.path(), ""),
            ("{log:", self.data_dir.as_path(), "00000000000000000000.log"),
            ("{dir:", self.data_dir.as_path(), ""),
        ] {
            while let Some(start) = filled.find(kind) {
                let end = start + filled[start..].find('}').expect("a closing brace");
                let path = directory.join(&filled[start + kind.len()..end]).join(file);
                let path = path.to_str().expect("UTF-8").trim_end_matches('/');
                filled.replace_range(start..=end, path);
            }
        }
        filled
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.files.path().join(name), text).expect("it is written");
    }

    fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.requests, "{request}").expect("Java reads");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("Java answers");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("to {request}: {line:?}"))
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let _ = self.java.kill();
        let _ = self.java.wait();
    }
}
