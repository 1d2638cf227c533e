//! Apache Kafka on this machine: one KRaft node in a temporary directory, on free ports of the loopback address.
//!
//! It is configured by `deploy/kafka/server.properties`, then by what [`Builder`] says. [`Builder::start`] returns when it
//! serves. Its life is tied to a pipe from this process: however this process ends, Apache Kafka is killed and its
//! directory removed, except that the directory is kept where something went wrong ([`ApacheKafka::keep`]).
//!
//! Needs Java and the jars (`cargo xtask kafka-libs`); [`available`] says what is missing.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::json;

use crate::client::{Answer, Client};
use crate::found::{self, Found};

/// The version of Apache Kafka.
pub const VERSION: &str = found::VERSION;

/// The configuration that is the same wherever we start Apache Kafka.
const TEMPLATE: &str = include_str!("../../deploy/kafka/server.properties");

/// The name of the listener that is always there, without authentication or encryption.
pub const PLAINTEXT: &str = "PLAINTEXT";

/// How long a start may take on a busy machine.
const START_PATIENCE: Duration = Duration::from_secs(180);

/// Keeps the directory when it is there.
const KEEP: &str = "keep";

/// Runs Java until it ends or this process does, then removes the directory.
const WATCH: &str = r#"
# Ctrl-C goes to every process of a terminal; this one is to outlive those that it ends.
trap '' HUP INT
dir=$1; shift
exec 3<&0
# Not its business: the shell's own word that Java was killed.
exec 2>/dev/null
"$@" </dev/null >>"$dir/kafka.log" 2>&1 &
java=$!
(cat <&3 >/dev/null; kill -9 $java 2>/dev/null) &
watcher=$!
wait $java; status=$?
kill $watcher 2>/dev/null
[ -e "$dir/keep" ] || rm -rf "$dir"
exit $status
"#;

/// Small and quick to start, as tests want it.
const TEST_JVM: [&str; 5] = [
    "-Xms256m",
    "-Xmx768m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
];

/// Whether Apache Kafka can be started here; otherwise, in one line, what is missing.
///
/// # Errors
/// What is missing.
pub fn available() -> Result<(), String> {
    found::find().map(drop)
}

/// Java with Apache Kafka's jars as its class path; the main class comes next.
///
/// # Errors
/// What is missing.
pub fn java() -> Result<Command, String> {
    java_with(None)
}

/// The same with a directory of classes before the jars.
///
/// # Errors
/// What is missing.
pub fn java_with(classes: Option<&Path>) -> Result<Command, String> {
    let found = found::find()?;
    let mut command = Command::new(found.java);
    command.arg("-cp").arg(class_path(classes, &found.libs));
    Ok(command)
}

/// Java's compiler with Apache Kafka's jars as its class path, run by the Java that [`java`] is.
///
/// # Errors
/// What is missing.
pub fn javac() -> Result<Command, String> {
    let found = found::find()?;
    let mut command = Command::new(found.java);
    // The compiler as a program of its own need not be there; its module is, as for programs that are run from source.
    command.args(["-m", "jdk.compiler/com.sun.tools.javac.Main", "-cp"]);
    // Only Java itself knows what an asterisk means.
    let entries = std::fs::read_dir(&found.libs).map_err(|error| error.to_string())?;
    let jars = entries.flatten().map(|entry| entry.path());
    command.arg(std::env::join_paths(jars).map_err(|error| error.to_string())?);
    Ok(command)
}

fn class_path(classes: Option<&Path>, libs: &Path) -> OsString {
    let mut path = OsString::new();
    if let Some(classes) = classes {
        path.push(classes);
        path.push(":");
    }
    path.push(libs.join("*"));
    path
}

/// How Apache Kafka is to be started.
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    properties: Vec<(String, String)>,
    listeners: Vec<(String, String)>,
    jvm: Vec<String>,
    port: u16,
    scram_users: Vec<(String, String)>,
}

impl Builder {
    /// A broker property by Kafka's name; of two with one name the later holds.
    pub fn property(mut self, name: &str, value: &str) -> Self {
        self.properties.push((name.to_owned(), value.to_owned()));
        self
    }

    /// One more listener besides [`PLAINTEXT`], on a free port, with its security protocol (`SASL_SSL`, …). Its settings
    /// are properties: `listener.name.<name in lower case>.…`.
    pub fn listener(mut self, name: &str, security_protocol: &str) -> Self {
        self.listeners.push((name.to_owned(), security_protocol.to_owned()));
        self
    }

    /// Arguments of the Java machine instead of those for a quick start (to measure it as it would really run).
    pub fn jvm<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.jvm = arguments.into_iter().map(str::to_owned).collect();
        self
    }

    /// One more argument of the Java machine (`-Dname=value`).
    pub fn jvm_argument(mut self, argument: &str) -> Self {
        self.jvm.push(argument.to_owned());
        self
    }

    /// A user of SCRAM-SHA-512 that is there from the first start on.
    pub fn scram_user(mut self, name: &str, password: &str) -> Self {
        self.scram_users.push((name.to_owned(), password.to_owned()));
        self
    }

    /// The port of [`PLAINTEXT`] instead of a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Formats a directory, starts Apache Kafka on it and waits until it serves.
    ///
    /// # Errors
    /// What is missing, or why it did not start, with the end of its log.
    pub fn start(self) -> anyhow::Result<ApacheKafka> {
        let found = found::find().map_err(anyhow::Error::msg)?;
        let dir = tempfile::Builder::new().prefix("tickertape-kafka-").tempdir()?.keep();
        self.start_in(&found, &dir).map_err(|error| {
            let log = std::fs::read_to_string(dir.join("kafka.log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let end = lines[lines.len().saturating_sub(20)..].join("\n");
            error.context(format!(
                "Apache Kafka did not start; its files are kept at {}\n{end}\n",
                dir.display()
            ))
        })
    }

    fn start_in(self, found: &Found, dir: &Path) -> anyhow::Result<ApacheKafka> {
        let addresses = self.addresses()?;
        let config = dir.join("server.properties");
        std::fs::write(&config, self.config(dir, &addresses)?)?;
        let classpath = format!("{}/*", found.libs.display());
        let java = |main: &[&str]| {
            let mut command = Command::new("sh");
            command.args(["-c", WATCH, "sh"]).arg(dir).arg(&found.java);
            command.args(&self.jvm).args(["-cp", &classpath]);
            command.args(["-Dorg.slf4j.simpleLogger.showDateTime=true"]);
            command.args(["-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS"]);
            command.args(main);
            command
        };
        let config = config.to_str().context("the temporary directory's name is not text")?;
        let keep = dir.join(KEEP);
        File::create(&keep)?;
        let users = self.scram_users.iter();
        let users: Vec<String> = users
            .map(|(name, password)| format!("SCRAM-SHA-512=[name={name},password={password}]"))
            .collect();
        let mut format = vec![
            "kafka.tools.StorageTool",
            "format",
            "--standalone",
            "-t",
            CLUSTER_ID,
            "-c",
            config,
        ];
        format.extend(users.iter().flat_map(|user| ["--add-scram", user.as_str()]));
        let mut formatting = java(&format).stdin(Stdio::piped()).spawn().context("cannot run sh")?;
        // Held until it ends: its end is what kills it.
        let pipe = formatting.stdin.take();
        let status = formatting.wait()?;
        drop(pipe);
        anyhow::ensure!(status.success(), "formatting its directory: {status}");
        let started = Instant::now();
        let mut child = java(&["kafka.Kafka", config]).stdin(Stdio::piped()).spawn()?;
        let pipe = child.stdin.take();
        let mut kafka = ApacheKafka {
            child,
            started,
            pipe,
            dir: dir.to_owned(),
            addresses,
        };
        kafka.wait_until_it_serves()?;
        std::fs::remove_file(&keep)?;
        Ok(kafka)
    }

    /// Each listener's name and address, the controller's included.
    fn addresses(&self) -> anyhow::Result<Vec<(String, String)>> {
        let names = [PLAINTEXT, CONTROLLER]
            .into_iter()
            .chain(self.listeners.iter().map(|(name, _)| name.as_str()));
        // All are held until all are found, so that none is found twice.
        let mut held = Vec::new();
        let mut addresses = Vec::new();
        for name in names {
            let port = if name == PLAINTEXT { self.port } else { 0 };
            let listener = TcpListener::bind(("127.0.0.1", port)).with_context(|| format!("port {port}"))?;
            addresses.push((name.to_owned(), listener.local_addr()?.to_string()));
            held.push(listener);
        }
        Ok(addresses)
    }

    fn config(&self, dir: &Path, addresses: &[(String, String)]) -> anyhow::Result<String> {
        let join = |items: Vec<String>| items.join(",");
        let listeners = |all: bool| {
            let wanted = addresses.iter().filter(|(name, _)| all || name != CONTROLLER);
            join(wanted.map(|(name, address)| format!("{name}://{address}")).collect())
        };
        let own = [
            (PLAINTEXT.to_owned(), PLAINTEXT.to_owned()),
            (CONTROLLER.to_owned(), PLAINTEXT.to_owned()),
        ];
        let protocols = own.iter().chain(&self.listeners);
        let protocols = join(protocols.map(|(name, protocol)| format!("{name}:{protocol}")).collect());
        let controller = &addresses[1].1;
        let data = dir.join("data").display().to_string();
        let of_node = [
            ("node.id", "1"),
            ("listeners", &listeners(true)),
            ("advertised.listeners", &listeners(false)),
            ("listener.security.protocol.map", &protocols),
            ("controller.quorum.bootstrap.servers", controller),
            ("log.dirs", &data),
        ];
        let mut text = TEMPLATE.to_owned();
        let given = self
            .properties
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in of_node.into_iter().chain(given) {
            // A backslash escapes in a properties file; a line break ends the value.
            let value = value.replace('\\', "\\\\").replace('\n', "\\n");
            writeln!(text, "{name}={value}")?;
        }
        Ok(text)
    }
}

const CONTROLLER: &str = "CONTROLLER";
const CLUSTER_ID: &str = "dGlja2VydGFwZS1qdWRnZQ";

/// A running Apache Kafka. Dropping it kills it and removes its directory.
#[derive(Debug)]
pub struct ApacheKafka {
    child: Child,
    started: Instant,
    /// Closed, it ends Apache Kafka.
    pipe: Option<ChildStdin>,
    dir: PathBuf,
    addresses: Vec<(String, String)>,
}

impl ApacheKafka {
    /// Apache Kafka with nothing but defaults and one listener, [`PLAINTEXT`].
    pub fn builder() -> Builder {
        Builder {
            properties: Vec::new(),
            listeners: Vec::new(),
            jvm: TEST_JVM.map(str::to_owned).to_vec(),
            port: 0,
            scram_users: Vec::new(),
        }
    }

    /// The one that all tests of this process share, started when it is first asked for, with the properties that
    /// [`crate::PROPERTIES`] names. A panic anywhere in the process keeps its directory.
    ///
    /// # Errors
    /// Why it did not start.
    pub fn shared() -> Result<&'static ApacheKafka, &'static str> {
        static SHARED: OnceLock<Result<ApacheKafka, String>> = OnceLock::new();
        let started = SHARED.get_or_init(|| {
            let builder = crate::PROPERTIES
                .iter()
                .fold(Self::builder(), |builder, (name, value)| builder.property(name, value));
            let kafka = builder.start().map_err(|error| format!("{error:#}"))?;
            let dir = kafka.dir.clone();
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                before(panic);
                if File::create_new(dir.join(KEEP)).is_ok() {
                    eprintln!("Apache Kafka's log is kept: {}", dir.join("kafka.log").display());
                }
            }));
            Ok(kafka)
        });
        started.as_ref().map_err(String::as_str)
    }

    /// `host:port` of the listener [`PLAINTEXT`], for a client's `bootstrap.servers`.
    #[must_use]
    pub fn bootstrap_servers(&self) -> &str {
        &self.addresses[0].1
    }

    /// `host:port` of a listener by its name.
    #[must_use]
    pub fn listener(&self, name: &str) -> Option<&str> {
        self.addresses
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, address)| address.as_str())
    }

    /// The directory with `server.properties`, `kafka.log` and `data`.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The directory stays when Apache Kafka has ended.
    ///
    /// # Errors
    /// It cannot be written to.
    pub fn keep(&self) -> std::io::Result<()> {
        File::create(self.dir.join(KEEP)).map(drop)
    }

    /// When its process was started; its directory was formatted by then.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The process of the Java machine, where the system tells (Linux).
    #[must_use]
    pub fn java_pid(&self) -> Option<u32> {
        let shell = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).ok()?;
        let is_java =
            |pid: &&str| std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "java");
        children.split_whitespace().find(is_java)?.parse().ok()
    }

    /// Waits until Apache Kafka ends by itself, however long that takes.
    ///
    /// # Errors
    /// The system does not say.
    pub fn wait(&mut self) -> std::io::Result<std::process::ExitStatus> {
        self.child.wait()
    }

    fn wait_until_it_serves(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + START_PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                anyhow::bail!("it ended: {status}");
            }
            if self.serves() {
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < until, "it does not serve after {START_PATIENCE:?}");
            // There is no event to wait for: the port opens in another process.
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whether it names itself as a broker of the cluster and its controller.
    fn serves(&self) -> bool {
        let Ok(mut client) = Client::connect(self.bootstrap_servers()) else {
            return false;
        };
        match client.ask("Metadata", 12, &json!({ "Topics": [] })) {
            Ok(Answer::Message(metadata)) => metadata["Brokers"].as_array().is_some_and(|brokers| brokers.len() == 1),
            _ => false,
        }
    }
}

impl Drop for ApacheKafka {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ = self.child.wait();
    }
}
