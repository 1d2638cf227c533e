//! moto's server: AWS's APIs without AWS. It keeps what Glue and Athena are told and answers in their shapes, but runs no
//! crawl and no query; rows can be laid up for Athena beforehand.
//!
//! Needs a Python with `moto[server]`: `TICKERTAPE_PYTHON` names it, and `.ci/run` installs it. Without it the tests are
//! ignored, and say so.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::{Value, json};

use crate::support::tickertape;

/// Serves on a free port until standard input ends, as it does when the tests are over, however.
const SERVE: &str = "
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address='127.0.0.1', port=0, verbose=False)
server.start()
print('%s:%d' % server.get_host_and_port(), flush=True)
sys.stdin.read()
";
/// The region of everything here.
const REGION: &str = "eu-central-1";

/// A running server, and nothing in it.
pub(crate) struct Moto {
    address: String,
    child: Child,
    _until: ChildStdin,
}

impl Moto {
    /// Starts one.
    pub(crate) fn start() -> Moto {
        let python = std::env::var_os("TICKERTAPE_PYTHON").expect("TICKERTAPE_PYTHON names a Python with moto[server]");
        let mut child = Command::new(python)
            .args(["-c", SERVE])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("TICKERTAPE_PYTHON is a Python");
        let mut address = String::new();
        BufReader::new(child.stdout.take().expect("stdout is piped"))
            .read_line(&mut address)
            .expect("a line");
        let address = address.trim().to_owned();
        assert!(
            !address.is_empty(),
            "moto's server did not start: is moto[server] there?"
        );
        Moto {
            address,
            _until: child.stdin.take().expect("stdin is piped"),
            child,
        }
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The binary, which finds Glue and Athena here as every AWS tool would: by its environment.
    pub(crate) fn tickertape(&self, arguments: &[&str]) -> Command {
        let mut command = tickertape(arguments);
        command
            .env("AWS_ENDPOINT_URL_GLUE", self.url())
            .env("AWS_ENDPOINT_URL_ATHENA", self.url())
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", "tickertape")
            .env("AWS_SECRET_ACCESS_KEY", "tickertape-secret");
        command
    }

    /// Runs the binary to its end: exit code, standard output and standard error.
    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.tickertape(arguments).output().expect("the binary starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (
            output.status.code().expect("it exits"),
            text(output.stdout),
            text(output.stderr),
        )
    }

    /// Runs the binary to its good end, and gives what it printed.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let (code, stdout, stderr) = self.run(arguments);
        assert_eq!(code, 0, "tickertape {}: {stderr}", arguments.join(" "));
        stdout
    }

    /// Makes a bucket of moto's S3.
    pub(crate) fn make_bucket(&self, name: &str) {
        let (status, answer) = self.send("PUT", &format!("/{name}"), "", "");
        assert_eq!(status, 200, "{name}: {answer}");
    }

    /// One call of Glue's API.
    pub(crate) fn glue(&self, operation: &str, body: &Value) -> Value {
        self.call("glue", &format!("AWSGlue.{operation}"), body)
    }

    /// One call of Glue's API; `None` where it is refused.
    pub(crate) fn try_glue(&self, operation: &str, body: &Value) -> Option<Value> {
        self.try_call("glue", &format!("AWSGlue.{operation}"), body).ok()
    }

    /// One call of Athena's API.
    pub(crate) fn athena(&self, operation: &str, body: &Value) -> Value {
        self.call("athena", &format!("AmazonAthena.{operation}"), body)
    }

    /// Lays up the result of the next query: columns as (name, type, precision, scale), and all rows, names included.
    pub(crate) fn next_result(&self, columns: &[(&str, &str, i32, i32)], rows: &[Vec<Option<&str>>]) {
        let info = |(name, kind, precision, scale): &(&str, &str, i32, i32)| {
            json!({ "Name": name, "Label": name, "Type": kind, "Precision": precision, "Scale": scale,
                    "CatalogName": "hive", "SchemaName": "", "TableName": "", "Nullable": "UNKNOWN", "CaseSensitive": false })
        };
        let cell = |cell: &Option<&str>| match cell {
            Some(text) => json!({ "VarCharValue": text }),
            None => json!({}),
        };
        let rows: Vec<Value> = rows
            .iter()
            .map(|row| json!({ "Data": row.iter().map(cell).collect::<Vec<_>>() }))
            .collect();
        let result = json!({ "rows": rows, "column_info": columns.iter().map(info).collect::<Vec<_>>() });
        self.control(
            "static/athena/query-results",
            &json!({ "region": REGION, "results": [result] }),
        );
    }

    /// How long a state lasts: `athena::execution` or `glue::crawl`.
    pub(crate) fn progress(&self, model: &str, transition: &Value) {
        let body = json!({ "model_name": model, "transition": transition });
        self.control("state-manager/set-transition", &body);
    }

    fn control(&self, path: &str, body: &Value) {
        let (status, answer) = self.post(&format!("/moto-api/{path}"), "", &body.to_string());
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
    }

    fn call(&self, service: &str, target: &str, body: &Value) -> Value {
        self.try_call(service, target, body)
            .unwrap_or_else(|refusal| panic!("{target}: {refusal}"))
    }

    fn try_call(&self, service: &str, target: &str, body: &Value) -> Result<Value, String> {
        let scope = format!("tickertape/20260101/{REGION}/{service}/aws4_request");
        let headers = format!(
            "X-Amz-Target: {target}\r\nAuthorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0\r\n"
        );
        match self.post("/", &headers, &body.to_string()) {
            (200, answer) => Ok(serde_json::from_str(&answer).unwrap_or(Value::Null)),
            (_, refusal) => Err(refusal),
        }
    }

    fn post(&self, path: &str, headers: &str, body: &str) -> (u16, String) {
        self.send("POST", path, headers, body)
    }

    fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("moto listens");
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-amz-json-1.1\r\n{headers}Content-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .expect("moto reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("moto answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.expect("a status"), body.to_owned())
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.child
            .kill()
            .and_then(|()| self.child.wait())
            .expect("it can be killed");
    }
}
