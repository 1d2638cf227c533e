//! `cargo xtask configs`: writes `broker/src/config/apache/` from Apache Kafka's own definitions of its properties.
//!
//! A small program in Java (`xtask/java/Configs.java`) prints them: names, types, defaults, what values are good, whether
//! they can be changed while the broker runs, and their documentation. It is run from its source, with the jars of
//! `cargo xtask kafka-libs` as its class path. `--check` writes nothing and fails where the committed table differs.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use crate::{kafka_libs, shapes::KAFKA_VERSION};

const PROGRAM: &str = "xtask/java/Configs.java";
const OUTPUT: &str = "broker/src/config/apache";

/// Options of the command.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Write nothing: fail if the table in the repository differs
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let printed = print_definitions()?;
    for (file, text) in generate(&printed)? {
        let path = crate::root().join(OUTPUT).join(file);
        if options.check {
            let committed = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            ensure!(committed == text, "{} is not what Apache Kafka says", path.display());
        } else {
            std::fs::write(&path, text).with_context(|| path.display().to_string())?;
            println!("wrote {}", path.display());
        }
    }
    Ok(())
}

fn print_definitions() -> anyhow::Result<String> {
    let libs = kafka_libs::fetched()?;
    let java = Command::new("java")
        .arg("-cp")
        .arg(libs.join("*"))
        .arg(crate::root().join(PROGRAM))
        .stderr(Stdio::inherit())
        .output()
        .context("Java (java) prints Apache Kafka's definitions, and does not run")?;
    ensure!(java.status.success(), "java: {}", java.status);
    Ok(String::from_utf8(java.stdout)?)
}

/// One property as the program prints it.
#[derive(serde::Deserialize)]
struct Property(
    /// Resource.
    String,
    /// Name.
    String,
    /// Type.
    String,
    /// Default.
    Option<String>,
    /// Validator's class.
    String,
    /// Validator's text.
    String,
    /// Update mode.
    String,
    /// Internal.
    bool,
    /// Documentation.
    Option<String>,
);

/// The generated files, by name.
fn generate(printed: &str) -> anyhow::Result<BTreeMap<&'static str, String>> {
    let mut tables: BTreeMap<String, String> = BTreeMap::new();
    for line in printed.lines() {
        let property: Property = serde_json::from_str(line).with_context(|| line.to_owned())?;
        let text = emit(&property).with_context(|| property.1.clone())?;
        tables.entry(property.0).or_default().push_str(&text);
    }
    let mut files = BTreeMap::new();
    for (resource, file) in [
        ("BROKER", "broker.rs"),
        ("TOPIC", "topic.rs"),
        ("GROUP", "group.rs"),
        ("CLIENT_METRICS", "client_metrics.rs"),
    ] {
        let properties = tables
            .get(resource)
            .with_context(|| format!("no {resource} properties"))?;
        let text = format!(
            "//! Generated from Apache Kafka {KAFKA_VERSION} by `cargo xtask configs`; not to be edited. The texts are Apache Kafka's \
             (see NOTICE).\n\n\
             use super::*;\n\n\
             #[rustfmt::skip]\n\
             pub(crate) static {resource}: &[Definition] = &[\n{properties}];\n"
        );
        files.insert(file, text);
    }
    Ok(files)
}

fn emit(property: &Property) -> anyhow::Result<String> {
    let Property(_, name, kind, default, class, valid, update, internal, documentation) = property;
    let kind = match kind.as_str() {
        "BOOLEAN" => "Boolean",
        "STRING" => "String",
        "INT" => "Int",
        "SHORT" => "Short",
        "LONG" => "Long",
        "DOUBLE" => "Double",
        "LIST" => "List",
        "CLASS" => "Class",
        "PASSWORD" => "Password",
        other => bail!("unknown type {other}"),
    };
    let update = match update.as_str() {
        "read-only" => "ReadOnly",
        "per-broker" => "PerBroker",
        "cluster-wide" => "ClusterWide",
        other => bail!("unknown update mode {other}"),
    };
    let valid = emit_valid(class, valid)?;
    let documentation = documentation.as_deref().unwrap_or_default();
    let mut out = format!("    property({name:?}, {kind}, {default:?}, {valid}, {update}, {documentation:?})");
    if *internal {
        out.push_str(".internal()");
    }
    out.push_str(",\n");
    Ok(out)
}

/// What a validator allows, from its class and the text that it shows of itself.
fn emit_valid(class: &str, text: &str) -> anyhow::Result<String> {
    let words = || -> anyhow::Result<String> {
        let (_, rest) = text.split_once('[').context("no list of words")?;
        let words: Vec<&str> = rest.trim_end_matches(']').split(", ").collect();
        Ok(format!("&{words:?}"))
    };
    Ok(match class {
        "Range" => {
            let range = text.trim_matches(['[', ']']);
            let (least, most) = range.split_once(",...").unwrap_or((range, ""));
            match (least, most.trim_start_matches(',')) {
                ("...", _) | ("", _) => bail!("a range without a least value: {text}"),
                (least, "") => format!("AtLeast({least:?})"),
                (least, most) => format!("Between({least:?}, {most:?})"),
            }
        }
        "ValidString" => format!("OneOf({})", words()?),
        "CaseInsensitiveValidString" => format!("OneOfAnyCase({})", words()?),
        "ValidList" => format!("ListOf({})", words()?),
        "NonEmptyString" => "NonEmpty".to_owned(),
        "ThrottledReplicaListValidator" => "ThrottledReplicas".to_owned(),
        "LambdaValidator" if text == "[1,...,9] or -1" => "GzipLevel".to_owned(),
        "Validator" if text.contains("by_duration:") => "OffsetReset".to_owned(),
        // Null is no value here; quorums are made by nobody.
        "" | "NonNullValidator" | "ControllerQuorumBootstrapServersValidator" | "ControllerQuorumVotersValidator" => {
            "Any".to_owned()
        }
        other => bail!("unknown validator {other}: {text}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validators_are_read_from_what_they_show() {
        let cases = [
            ("Range", "[0,...]", "AtLeast(\"0\")"),
            ("Range", "[0.5,...,1.0]", "Between(\"0.5\", \"1.0\")"),
            ("ValidString", "[a, b]", "OneOf(&[\"a\", \"b\"])"),
            (
                "CaseInsensitiveValidString",
                "(case insensitive) [A]",
                "OneOfAnyCase(&[\"A\"])",
            ),
            ("ValidList", "[compact, delete]", "ListOf(&[\"compact\", \"delete\"])"),
            ("", "", "Any"),
        ];
        for (class, text, wanted) in cases {
            assert_eq!(emit_valid(class, text).unwrap(), wanted);
        }
        assert!(emit_valid("Other", "x").is_err());
    }

    #[test]
    fn a_property_is_one_line() {
        let line = r#"["BROKER","a.b","INT","3","Range","[1,...]","read-only",true,"Says \"x\".\n"]"#;
        let property: Property = serde_json::from_str(line).unwrap();
        assert_eq!(
            emit(&property).unwrap(),
            "    property(\"a.b\", Int, Some(\"3\"), AtLeast(\"1\"), ReadOnly, \"Says \\\"x\\\".\\n\").internal(),\n"
        );
    }

    /// Compares only where Apache Kafka's jars and Java are; `cargo xtask configs --check` fetches the jars.
    #[test]
    fn the_committed_tables_are_what_apache_kafka_says() {
        match kafka_libs::cached() {
            Some(_) if Command::new("java").arg("-version").output().is_ok() => run(&Options { check: true }).unwrap(),
            _ => eprintln!("no Java, or no Apache Kafka in the cache: nothing compared"),
        }
    }
}
