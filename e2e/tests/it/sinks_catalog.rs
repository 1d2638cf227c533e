//! Which catalog `tickertape consume` tells what it writes: what was named has to be one, has to answer, and has to take
//! these credentials. Nothing is written before that is known.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Server, ok, signal, tickertape};

/// A broker with a topic, an S3 server with its catalog, and a home with profiles of AWS.
struct World {
    broker: Server,
    s3: Server,
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let (broker, s3) = (Server::broker(&dir), Server::s3(&dir));
        ok(&["topic", "create", "ticks", "-b", broker.get("bootstrap_servers")]);
        let aws = dir.path().join(".aws");
        std::fs::create_dir(&aws).unwrap();
        std::fs::write(aws.join("config"), "[profile trading]\nregion = eu-west-3\n").unwrap();
        World { broker, s3, dir }
    }

    fn home(&self) -> &Path {
        self.dir.path()
    }

    /// A sink of the topic into the store, with these as well.
    fn sink(&self, more: &[&str]) -> Command {
        self.sink_into(self.s3.get("endpoint"), more)
    }

    fn sink_into(&self, endpoint: &str, more: &[&str]) -> Command {
        let at = ["-b", self.broker.get("bootstrap_servers"), "--s3-endpoint", endpoint];
        let sink = ["consume", "--topic", "ticks", "--to", "s3://market/lake"];
        let mut sink = tickertape(&[&sink[..], &at, more].concat());
        sink.env("HOME", self.home());
        sink
    }

    /// What it says as it ends by itself.
    fn refused(&self, more: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
        ended(self.sink(more).envs(environment.iter().copied()))
    }

    /// It takes its topic up, so nothing is wrong with what it was told, and stops when it is asked to.
    fn runs(&self, more: &[&str], environment: &[(&str, &str)]) {
        let mut sink = self.sink(more);
        sink.envs(environment.iter().copied());
        let mut sink = sink.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        let mut lines = BufReader::new(sink.stderr.take().unwrap()).lines();
        let taken_up = lines.by_ref().any(|line| {
            said += &line.unwrap();
            said.contains("taken up")
        });
        if taken_up {
            signal(sink.id(), "TERM");
        }
        // It goes on speaking until its end.
        lines.for_each(drop);
        let code = sink.wait().unwrap().code();
        assert!(taken_up && code == Some(0), "{code:?}: {said}");
    }
}

/// The exit code of what ends by itself, and what it says.
fn ended(sink: &mut Command) -> (Option<i32>, String) {
    let output = sink.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Answers each request so, and none of them with a catalog's words.
fn answering(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            std::thread::spawn(move || answer(connection, status, body));
        }
    });
    url
}

fn answer(mut connection: TcpStream, status: &str, body: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim().to_ascii_lowercase().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap_or(0),
            Some(_) => {}
            None if line.trim().is_empty() => break,
            None => {}
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    let size = body.len();
    write!(
        connection,
        "HTTP/1.1 {status}\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n{body}"
    )
}

#[test]
fn a_catalog_that_was_named_and_is_not_there_is_waited_for_and_then_given_up() {
    let world = World::new();
    let dead = "http://127.0.0.1:1";
    let (code, error) = world.refused(&["--catalog", dead, "--timeout", "1s"], &[]);
    let said = error.contains(&format!("--catalog {dead} does not answer")) && error.contains("(--catalog, --timeout)");
    assert!(code == Some(1) && said, "{code:?}: {error}");
}

#[test]
fn what_was_named_as_the_catalog_and_is_none_is_named() {
    let world = World::new();
    let other = answering("404 Not Found", "<html>not here</html>");
    let (code, error) = world.refused(&["--catalog", &other], &[]);
    let said = error.contains(&format!("error: --catalog {other}: the catalog is not served there"));
    assert!(code == Some(2) && said, "{code:?}: {error}");
    // A store need not have one: this one is asked for its bucket next, which it doesn't answer for.
    let store = answering("501 Not Implemented", "");
    let (code, error) = ended(&mut world.sink_into(&store, &["--timeout", "1s"]));
    assert!(code == Some(1) && error.contains("bucket market"), "{code:?}: {error}");
}

#[test]
fn keys_that_are_refused_are_said_at_once() {
    let world = World::new();
    let named = world.s3.get("endpoint").to_owned();
    for (id, secret) in [("nobody", "tickertape-secret"), ("tickertape", "wrong")] {
        let keys = [("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)];
        for more in [&[][..], &["--catalog", &named]] {
            let (code, error) = world.refused(more, &keys);
            let said = error.contains(&named) && !error.contains("waiting for it");
            assert!(code == Some(2) && said, "{id}: {code:?}: {error}");
        }
    }
}

#[test]
fn a_profile_that_is_not_there_is_named_with_the_nearest_also_beside_a_store_of_ones_own() {
    let world = World::new();
    for (more, environment) in [
        (&["--profile", "tradin"][..], &[][..]),
        (&[], &[("AWS_PROFILE", "tradin")]),
        (&["--profile", "tradin", "--catalog", "glue"], &[]),
    ] {
        let (code, error) = world.refused(more, environment);
        let said = error.contains("no such AWS profile \"tradin\"; did you mean \"trading\"?");
        assert!(code == Some(2) && said, "{more:?} {environment:?}: {code:?}: {error}");
    }
    // One that has no keys leaves the embedded server's, and one of no name is none.
    world.runs(&["--profile", "trading"], &[]);
    world.runs(
        &[],
        &[("AWS_PROFILE", ""), ("AWS_REGION", ""), ("AWS_DEFAULT_REGION", "")],
    );
}
