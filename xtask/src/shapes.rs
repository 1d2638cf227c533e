//! `cargo xtask shapes`: the broker's table of message shapes, from the definitions in Apache Kafka's client library.
//!
//! The facts stand in `common/message/*.json` inside the `kafka-clients` jar, which Maven fetches into its own cache.
//! Only facts are taken (names, types, versions, tags, defaults), no text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

pub(crate) const KAFKA_VERSION: &str = "4.1.1";
const DEFINITIONS: &str = "common/message/";
const OUTPUT: &str = "broker/src/wire/shapes";

/// Options of the command.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Take this jar instead of the one that Maven fetches
    #[arg(long)]
    jar: Option<PathBuf>,
    /// Write nothing: fail if the table in the repository differs
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let jar = match &options.jar {
        Some(jar) => jar.clone(),
        None => fetched_jar()?,
    };
    for (name, text) in generate(&jar)? {
        let path = crate::root().join(OUTPUT).join(name);
        if options.check {
            let committed = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            ensure!(
                committed == text,
                "{} is not what {} gives",
                path.display(),
                jar.display()
            );
        } else {
            std::fs::write(&path, text).with_context(|| path.display().to_string())?;
            println!("wrote {}", path.display());
        }
    }
    Ok(())
}

/// Where Maven keeps the jar.
fn cached_jar() -> Option<PathBuf> {
    let home = std::env::var_os("HOME")?;
    let name = format!("org/apache/kafka/kafka-clients/{KAFKA_VERSION}/kafka-clients-{KAFKA_VERSION}.jar");
    Some(Path::new(&home).join(".m2/repository").join(name))
}

fn fetched_jar() -> anyhow::Result<PathBuf> {
    let jar = cached_jar().context("HOME is not set, so Maven's cache cannot be found; use --jar")?;
    if !jar.exists() {
        let artifact = format!("-Dartifact=org.apache.kafka:kafka-clients:{KAFKA_VERSION}");
        crate::run(Command::new("mvn").args(["--quiet", "dependency:get", &artifact, "-Dtransitive=false"]))?;
    }
    ensure!(jar.exists(), "Maven left no {}; use --jar", jar.display());
    Ok(jar)
}

/// The generated files, by name.
fn generate(jar: &Path) -> anyhow::Result<BTreeMap<&'static str, String>> {
    let mut tables: BTreeMap<&str, BTreeMap<(i64, String), String>> = BTreeMap::new();
    for (name, definition) in definitions(jar)? {
        let message = Message::read(&definition).with_context(|| name.clone())?;
        let order = (message.api_key.unwrap_or(-1), message.name.clone());
        tables.entry(message.file()).or_default().insert(order, message.emit());
    }
    let files = tables.into_iter().map(|(name, messages)| {
        let constant = name.trim_end_matches(".rs").to_uppercase();
        let mut text = format!(
            "//! Generated from Apache Kafka {KAFKA_VERSION} by `cargo xtask shapes`; not to be edited.\n\n\
             use super::build::*;\n\n\
             pub(super) static {constant}: &[Message] = &[\n"
        );
        text.extend(messages.into_values());
        text.push_str("];\n");
        (name, text)
    });
    Ok(files.collect())
}

fn definitions(jar: &Path) -> anyhow::Result<Vec<(String, Value)>> {
    let file = std::fs::File::open(jar).with_context(|| jar.display().to_string())?;
    let mut archive = zip::ZipArchive::new(file)?;
    let mut definitions = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let name = entry.name()?.into_owned();
        if name.starts_with(DEFINITIONS) && name.ends_with(".json") {
            let mut text = String::new();
            entry.read_to_string(&mut text)?;
            let value = serde_json::from_str(&without_comments(&text)).with_context(|| name.clone())?;
            definitions.push((name, value));
        }
    }
    ensure!(
        !definitions.is_empty(),
        "{} holds no {DEFINITIONS}*.json",
        jar.display()
    );
    Ok(definitions)
}

/// Drops `//` comments, which the definitions have and JSON has not.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let (mut in_string, mut escaped, mut end) = (false, false, line.len());
        for (at, char) in line.char_indices() {
            match char {
                _ if escaped => escaped = false,
                '\\' if in_string => escaped = true,
                '"' => in_string = !in_string,
                '/' if !in_string && line[at..].starts_with("//") => {
                    end = at;
                    break;
                }
                _ => {}
            }
        }
        out.push_str(&line[..end]);
        out.push('\n');
    }
    out
}

struct Message {
    name: String,
    kind: String,
    api_key: Option<i64>,
    versions: String,
    flexible: String,
    broker: bool,
    unstable: bool,
    fields: Vec<Field>,
}

struct Field {
    name: String,
    ty: String,
    versions: String,
    nullable: String,
    tagged: Option<(i64, String)>,
    default: Option<String>,
    map_key: bool,
    entity: Option<String>,
    inflexible: bool,
    /// Of a struct, or of the structs in an array.
    fields: Vec<Field>,
}

impl Message {
    fn read(value: &Value) -> anyhow::Result<Self> {
        let mut common = BTreeMap::new();
        for shared in value
            .get("commonStructs")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            common.insert(text(shared, "name")?, shared.clone());
        }
        let versions = text(value, "validVersions")?;
        Ok(Self {
            name: text(value, "name")?,
            kind: text(value, "type")?,
            api_key: value.get("apiKey").and_then(Value::as_i64),
            flexible: text(value, "flexibleVersions").unwrap_or_else(|_| "none".to_owned()),
            broker: value
                .get("listeners")
                .and_then(Value::as_array)
                .is_some_and(|listeners| listeners.iter().any(|listener| listener == "broker")),
            unstable: value
                .get("latestVersionUnstable")
                .and_then(Value::as_bool)
                .unwrap_or(false),
            fields: read_fields(value, &common)?,
            versions,
        })
    }

    fn file(&self) -> &'static str {
        match self.kind.as_str() {
            "request" => "requests.rs",
            "response" => "responses.rs",
            _ => "others.rs",
        }
    }

    fn emit(&self) -> String {
        let mut out = format!("    message({:?}, ", self.name);
        let kind = match self.kind.as_str() {
            "request" => "REQUEST",
            "response" => "RESPONSE",
            "header" => "HEADER",
            _ => "DATA",
        };
        let key = self.api_key.unwrap_or(-1);
        let (versions, flexible) = (emit_versions(&self.versions), emit_versions(&self.flexible));
        let _ = write!(out, "{kind}, {key}, {versions}, {flexible}, &[");
        emit_fields(&self.fields, 2, &mut out);
        out.push_str("])");
        if self.broker {
            out.push_str(".on_broker()");
        }
        if self.unstable {
            out.push_str(".latest_unstable()");
        }
        out.push_str(",\n");
        out
    }
}

fn read_fields(value: &Value, common: &BTreeMap<String, Value>) -> anyhow::Result<Vec<Field>> {
    let fields = value.get("fields").and_then(Value::as_array).into_iter().flatten();
    fields.map(|field| Field::read(field, common)).collect()
}

impl Field {
    fn read(value: &Value, common: &BTreeMap<String, Value>) -> anyhow::Result<Self> {
        let name = text(value, "name")?;
        let ty = text(value, "type")?;
        let element = ty.trim_start_matches("[]");
        let inner = if value.get("fields").is_some() {
            Some(value)
        } else {
            common.get(element)
        };
        let fields = inner
            .map(|inner| read_fields(inner, common))
            .transpose()?
            .unwrap_or_default();
        if primitive(element).is_none() && fields.is_empty() {
            bail!("{name}: unknown type {ty}");
        }
        let tagged = match value.get("tag").and_then(Value::as_i64) {
            Some(tag) => Some((tag, text(value, "taggedVersions")?)),
            None => None,
        };
        Ok(Self {
            versions: text(value, "versions")?,
            nullable: text(value, "nullableVersions").unwrap_or_else(|_| "none".to_owned()),
            tagged,
            default: value.get("default").map(|default| match default {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            }),
            map_key: value.get("mapKey").and_then(Value::as_bool).unwrap_or(false),
            entity: text(value, "entityType").ok(),
            inflexible: text(value, "flexibleVersions").is_ok_and(|versions| versions == "none"),
            fields,
            name,
            ty,
        })
    }

    fn emit(&self, depth: usize, out: &mut String) {
        let _ = write!(out, "field({:?}, ", self.name);
        let element = self.ty.trim_start_matches("[]");
        let structure = |out: &mut String| {
            let _ = write!(out, "{element:?}, &[");
            emit_fields(&self.fields, depth + 1, out);
            out.push_str("])");
        };
        match (self.ty.starts_with("[]"), primitive(element)) {
            (false, Some(primitive)) => out.push_str(primitive),
            (true, Some(primitive)) => {
                let _ = write!(out, "array(&{primitive})");
            }
            (false, None) => {
                out.push_str("structure!(");
                structure(out);
            }
            (true, None) => {
                out.push_str("structures!(");
                structure(out);
            }
        }
        let _ = write!(out, ", {})", emit_versions(&self.versions));
        if self.nullable != "none" {
            let _ = write!(out, ".nullable({})", emit_versions(&self.nullable));
        }
        if let Some((tag, versions)) = &self.tagged {
            let _ = write!(out, ".tagged({tag}, {})", emit_versions(versions));
        }
        if let Some(default) = &self.default {
            let _ = write!(out, ".default({default:?})");
        }
        if let Some(entity) = &self.entity {
            let _ = write!(out, ".entity({entity:?})");
        }
        if self.map_key {
            out.push_str(".map_key()");
        }
        if self.inflexible {
            out.push_str(".inflexible()");
        }
    }
}

fn emit_fields(fields: &[Field], depth: usize, out: &mut String) {
    if fields.is_empty() {
        return;
    }
    out.push('\n');
    for field in fields {
        out.push_str(&"    ".repeat(depth));
        field.emit(depth, out);
        out.push_str(",\n");
    }
    out.push_str(&"    ".repeat(depth - 1));
}

fn primitive(ty: &str) -> Option<&'static str> {
    Some(match ty {
        "bool" => "BOOL",
        "int8" => "INT8",
        "int16" => "INT16",
        "uint16" => "UINT16",
        "int32" => "INT32",
        "uint32" => "UINT32",
        "int64" => "INT64",
        "float64" => "FLOAT64",
        "uuid" => "UUID",
        "string" => "STRING",
        "bytes" => "BYTES",
        "records" => "RECORDS",
        _ => return None,
    })
}

/// `none`, `3`, `0-9` or `6+`.
fn emit_versions(versions: &str) -> String {
    match versions.split_once('-') {
        _ if versions == "none" => "NONE".to_owned(),
        Some((min, max)) => format!("from_to({min}, {max})"),
        None => match versions.strip_suffix('+') {
            Some(min) => format!("since({min})"),
            None => format!("from_to({versions}, {versions})"),
        },
    }
}

fn text(value: &Value, key: &str) -> anyhow::Result<String> {
    Ok(value
        .get(key)
        .and_then(Value::as_str)
        .with_context(|| format!("no text at {key:?}"))?
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_strings_stay() {
        let text = "// head\n{ \"a\": \"http://x \\\" // y\" // tail\n}";
        assert_eq!(without_comments(text), "\n{ \"a\": \"http://x \\\" // y\" \n}\n");
    }

    #[test]
    fn versions_have_four_forms() {
        let forms = ["none", "3", "0-9", "6+"].map(emit_versions);
        assert_eq!(forms, ["NONE", "from_to(3, 3)", "from_to(0, 9)", "since(6)"]);
    }

    /// Compares only where Maven's cache holds the jar; `cargo xtask shapes --check` fetches it.
    #[test]
    fn the_committed_table_is_what_the_jar_gives() {
        match cached_jar().filter(|jar| jar.exists()) {
            Some(jar) => run(&Options {
                jar: Some(jar),
                check: true,
            })
            .unwrap(),
            None => eprintln!("no kafka-clients {KAFKA_VERSION} in Maven's cache: nothing compared"),
        }
    }
}
