//! A small issuer of tokens over the loopback: OIDC's token endpoint with its keys, as `sasl.oauthbearer.method=oidc` and
//! Apache Kafka's validator ask for them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use rcgen::{KeyPair, PKCS_ED25519, SigningKey as _};
use serde_json::{Value, json};

pub(super) const CLIENT_ID: &str = "feed";
pub(super) const CLIENT_SECRET: &str = "feed-secret";
/// Who the tokens are for.
pub(super) const AUDIENCE: &str = "kafka";

/// Answers until the process ends.
pub(super) struct Issuer {
    address: String,
}

impl Issuer {
    pub(super) fn start() -> Issuer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let issuer = format!("http://{address}");
        let key = Arc::new(KeyPair::generate_for(&PKCS_ED25519).unwrap());
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (key, issuer) = (Arc::clone(&key), issuer.clone());
                std::thread::spawn(move || answer(connection, &key, &issuer));
            }
        });
        Issuer { address }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// One request, one answer.
fn answer(connection: TcpStream, key: &KeyPair, issuer: &str) -> Option<()> {
    let mut reader = BufReader::new(connection.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let (mut length, mut authorization) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else {
            break;
        };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => authorization = value.to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let asked = first.split_whitespace().nth(1)?;
    let known = format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}"))
    );
    let (status, answer) = match asked {
        "/jwks" => ("200 OK", jwks(key)),
        "/token" if authorization == known => (
            "200 OK",
            json!({ "access_token": token(key, issuer), "token_type": "Bearer", "expires_in": 600 }),
        ),
        "/token" => (
            "401 Unauthorized",
            json!({ "error": "invalid_client", "error_description": "no such client" }),
        ),
        _ => ("404 Not Found", json!({})),
    };
    let answer = answer.to_string();
    let length = answer.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let mut connection = connection;
    connection.write_all((head + &answer).as_bytes()).ok()
}

fn jwks(key: &KeyPair) -> Value {
    let x = BASE64_URL_SAFE_NO_PAD.encode(key.public_key_raw());
    json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "1", "x": x }] })
}

fn token(key: &KeyPair, issuer: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let header = json!({ "alg": "EdDSA", "kid": "1", "typ": "JWT" });
    let claims =
        json!({ "sub": CLIENT_ID, "iss": issuer, "aud": AUDIENCE, "iat": now, "exp": now + 600, "scope": "feed" });
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = key.sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}
