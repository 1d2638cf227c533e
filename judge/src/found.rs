//! Where Java and Apache Kafka's jars are on this machine. Shared with the build script, which only has the standard library.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The version of Apache Kafka that ours is compared with, as `judge/pom.xml` names it.
pub(crate) const VERSION: &str = "4.1.1";

/// What it takes to run Apache Kafka.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// The program `java`.
    #[cfg_attr(
        not(test),
        allow(dead_code, reason = "the build script only asks whether it is there")
    )]
    pub(crate) java: OsString,
    /// The directory of the jars.
    #[cfg_attr(
        not(test),
        allow(dead_code, reason = "the build script only asks whether it is there")
    )]
    pub(crate) libs: PathBuf,
}

/// Java and the jars, or in one line what is missing and how to get it.
pub(crate) fn find() -> Result<Found, String> {
    let libs = libs_dir().ok_or("neither TICKERTAPE_KAFKA_LIBS nor HOME is set")?;
    let broker = libs.join(format!("kafka_2.13-{VERSION}.jar"));
    if !broker.is_file() {
        return Err(format!(
            "its jars are not at {}: cargo xtask kafka-libs",
            libs.display()
        ));
    }
    let java = java();
    let runs = Command::new(&java)
        .arg("-version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match runs {
        Ok(status) if status.success() => Ok(Found { java, libs }),
        _ => Err(format!("there is no Java 17 ({})", Path::new(&java).display())),
    }
}

/// `TICKERTAPE_KAFKA_LIBS`, or where `cargo xtask kafka-libs` puts them.
pub(crate) fn libs_dir() -> Option<PathBuf> {
    let named = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    named("TICKERTAPE_KAFKA_LIBS").or_else(|| {
        let cache = named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache")))?;
        Some(cache.join("tickertape").join(format!("kafka-libs-{VERSION}")))
    })
}

fn java() -> OsString {
    match std::env::var_os("JAVA_HOME").filter(|home| !home.is_empty()) {
        Some(home) => PathBuf::from(home).join("bin/java").into_os_string(),
        None => "java".into(),
    }
}
