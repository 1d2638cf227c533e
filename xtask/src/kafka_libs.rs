//! `cargo xtask kafka-libs`: Apache Kafka's jars, brought by Maven into a cache outside the repository.
//!
//! `judge/pom.xml` says which. The directory is printed, and is where `judge` and the tests look when
//! `TICKERTAPE_KAFKA_LIBS` names no other. Nothing is fetched again until that file changes.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context as _;

/// Written last, with the text of the file that the directory holds the jars of.
const COMPLETE: &str = ".complete";

/// Fetches what is missing, then prints the directory.
pub(crate) fn run() -> anyhow::Result<()> {
    println!("{}", fetched()?.display());
    Ok(())
}

/// Where the jars are, if they were fetched before.
#[cfg(test)]
pub(crate) fn cached() -> Option<PathBuf> {
    let pom = std::fs::read_to_string(crate::root().join("judge/pom.xml")).ok()?;
    let libs = directory(&pom).ok()?;
    let complete = std::fs::read_to_string(libs.join(COMPLETE)).ok()?;
    (complete == pom).then_some(libs)
}

/// Fetches what is missing, and tells the directory.
pub(crate) fn fetched() -> anyhow::Result<PathBuf> {
    let pom_path = crate::root().join("judge/pom.xml");
    let pom = std::fs::read_to_string(&pom_path).with_context(|| pom_path.display().to_string())?;
    let libs = directory(&pom)?;
    let complete = libs.join(COMPLETE);
    if std::fs::read_to_string(&complete).ok().as_deref() != Some(&pom) {
        std::fs::create_dir_all(&libs).with_context(|| libs.display().to_string())?;
        let maven = Command::new("mvn")
            .args(["-q", "-B", "-f"])
            .arg(&pom_path)
            .arg("dependency:copy-dependencies")
            .arg(format!("-DoutputDirectory={}", libs.display()))
            // The directory alone goes to standard output.
            .stdout(Stdio::from(std::io::stderr()))
            .status()
            .context("Maven (mvn) brings Apache Kafka, and does not run")?;
        anyhow::ensure!(maven.success(), "mvn: {maven}");
        std::fs::write(&complete, &pom).with_context(|| complete.display().to_string())?;
    }
    Ok(libs)
}

fn directory(pom: &str) -> anyhow::Result<PathBuf> {
    let version = pom
        .split_once("<kafka.version>")
        .and_then(|(_, rest)| rest.split_once('<'))
        .context("judge/pom.xml names no kafka.version")?
        .0;
    let cache = match std::env::var_os("XDG_CACHE_HOME") {
        Some(cache) if !cache.is_empty() => PathBuf::from(cache),
        _ => PathBuf::from(std::env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?).join(".cache"),
    };
    Ok(cache.join("tickertape").join(format!("kafka-libs-{version}")))
}
