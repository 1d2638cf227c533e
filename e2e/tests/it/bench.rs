//! `tickertape bench` of what it starts itself: asked to stop, it ends at once, and nothing stays behind.

use std::process::{Child, Stdio};

use crate::support::{eventually, signal, tickertape};

/// A process by what the kernel says of it.
struct Process {
    id: u32,
    parent: u32,
    arguments: String,
}

/// All processes (proc(5)).
fn processes() -> Vec<Process> {
    let directories = std::fs::read_dir("/proc").unwrap().flatten();
    let process = |directory: std::fs::DirEntry| {
        let id = directory.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(directory.path().join("stat")).ok()?;
        let (_, after_name) = stat.rsplit_once(')')?;
        let parent = after_name.split_whitespace().nth(1)?.parse().ok()?;
        let arguments = std::fs::read_to_string(directory.path().join("cmdline")).ok()?;
        Some(Process { id, parent, arguments })
    };
    directories.filter_map(process).collect()
}

/// What a benchmark has started, ended with it where the benchmark has left it behind.
struct Bench {
    child: Child,
    started: Vec<u32>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for process in processes() {
            if self.started.contains(&process.id) {
                signal(process.id, "KILL");
            }
        }
    }
}

/// Starts the benchmark, waits until it has started a process with `argument`, and asks it to stop.
fn stop_at(arguments: &[&str], argument: &str, frozen: bool) {
    let temporary = tempfile::tempdir().unwrap();
    let child = tickertape(&[&["bench"], arguments].concat())
        .env("TMPDIR", temporary.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut bench = Bench {
        child,
        started: Vec::new(),
    };
    let id = bench.child.id();
    let wanted = |process: &Process| process.arguments.split('\0').any(|word| word == argument);
    let found = eventually(argument, || {
        assert!(bench.child.try_wait().unwrap().is_none(), "it has ended");
        let mut started = processes();
        started.retain(|process| process.parent == id);
        bench.started = started.iter().map(|process| process.id).collect();
        started.into_iter().find(wanted)
    });
    if frozen {
        // So that it never comes to an end.
        signal(found.id, "STOP");
    }
    signal(id, "TERM");
    let status = eventually("its end", || bench.child.try_wait().unwrap());
    assert_eq!(status.code(), Some(130), "{arguments:?}");
    let left: Vec<_> = processes()
        .into_iter()
        .filter(|process| bench.started.contains(&process.id))
        .collect();
    let left: Vec<_> = left.iter().map(|process| process.arguments.as_str()).collect();
    assert_eq!(left, [""; 0], "{arguments:?}");
    let files = std::fs::read_dir(temporary.path()).unwrap().count();
    assert_eq!(files, 0, "{arguments:?}: its directory is left");
}

#[test]
fn it_stops_while_the_topic_is_fed() {
    stop_at(&["--only", "sink", "--events", "1000000000"], "produce", false);
}

#[test]
fn it_stops_while_a_sink_is_waited_for_that_never_comes_to_the_end() {
    stop_at(&["--only", "sink-memory", "--events", "100000"], "consume", true);
}

#[test]
fn it_stops_between_two_starts() {
    stop_at(&["--only", "start"], "broker", false);
}
