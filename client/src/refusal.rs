//! When a broker is there but this client cannot get in: what is wrong, and what to do.
//!
//! A wrong password or certificate does not mend itself, so nobody waits for it, unlike for a broker that is away. librdkafka
//! names the layer that failed; of a broker's certificate it only says that it is bad, so that is looked at here, by the same
//! OpenSSL.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use openssl::x509::{X509, X509VerifyResult};
use rdkafka::ClientConfig;
use rdkafka::error::RDKafkaErrorCode;

/// How long looking at a broker's certificate may take in each of its steps.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// What librdkafka last said about why it is not connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// The layer that failed.
    pub(crate) code: RDKafkaErrorCode,
    /// Its text, beginning with the broker: `ssl://127.0.0.1:9092/bootstrap: …`.
    pub(crate) text: String,
}

impl Said {
    /// The text without the broker in front and the times behind.
    pub(crate) fn reason(&self) -> &str {
        // "ssl://127.0.0.1:9092/bootstrap: SSL handshake failed: ... (after 3ms in state SSL_HANDSHAKE, 2 identical ...)"
        let text = match self.text.split_once(": ") {
            Some((broker, rest)) if broker.contains('/') && !broker.contains(' ') => rest,
            _ => &self.text,
        };
        text.split(" (after ").next().unwrap_or(text)
    }

    /// The broker that it is about, as `host:port`.
    fn broker(&self) -> Option<&str> {
        let (broker, _) = self.text.split_once(": ")?;
        let address = broker.rsplit_once("://").map_or(broker, |(_, rest)| rest);
        address.split_once('/').map(|(address, _)| address)
    }

    /// Why waiting is of no use, and what to do; `None` if it may be.
    pub(crate) fn refusal(&self, config: &ClientConfig) -> Option<String> {
        let reason = self.reason();
        match self.code {
            RDKafkaErrorCode::Authentication => refused_login(reason, config),
            RDKafkaErrorCode::SSL if reason.contains("certificate verify failed") => {
                let found = self.broker().and_then(|broker| look_at_certificate(broker, config));
                Some(found.unwrap_or_else(|| {
                    format!("the broker's certificate is not trusted ({reason}): -X ssl.ca.location=FILE names who signed it")
                }))
            }
            // By TLS 1.3 the broker says so after the handshake, when the first answer is read.
            _ if reason.contains("alert") && reason.contains("certificate") => {
                Some(refused_certificate(reason, config))
            }
            _ => None,
        }
    }
}

fn refused_login(reason: &str, config: &ClientConfig) -> Option<String> {
    let mechanism = config.get("sasl.mechanism").or_else(|| config.get("sasl.mechanisms"));
    let mechanism = mechanism.unwrap_or("GSSAPI");
    // The endpoint that gives out tokens may be away for a while; what it refuses stays refused.
    if reason.contains("Failed to acquire SASL OAUTHBEARER token") {
        return reason.contains("look at -X").then(|| reason.to_owned());
    }
    if reason.contains("nsupported SASL mechanism") || reason.contains("not enabled") {
        return Some(format!("{reason}: give one of those by -X sasl.mechanism=NAME"));
    }
    let what = match mechanism {
        "OAUTHBEARER"
            if config
                .get("sasl.oauthbearer.config")
                .is_some_and(|text| text.starts_with("AWS_MSK_IAM")) =>
        {
            "look at the role's policy (kafka-cluster:Connect) and the region"
        }
        "OAUTHBEARER" => "the broker does not take the token: look at its issuer, audience and lifetime",
        _ => "look at -X sasl.username and -X sasl.password",
    };
    Some(format!("{reason}: {what} (sasl.mechanism={mechanism})"))
}

fn refused_certificate(reason: &str, config: &ClientConfig) -> String {
    let names = [
        "ssl.certificate.location",
        "ssl.certificate.pem",
        "ssl.keystore.location",
    ];
    match names.iter().find_map(|name| Some((name, config.get(name)?))) {
        None => format!(
            "the broker wants to see a client's certificate, and none was given ({reason}): -X ssl.certificate.location=FILE \
             -X ssl.key.location=FILE"
        ),
        Some((name, value)) => {
            let file = if name.ends_with(".location") {
                format!("={value}")
            } else {
                String::new()
            };
            format!(
                "the broker does not take this client's certificate ({reason}): look at -X {name}{file}, who signed it and until \
                 when it holds"
            )
        }
    }
}

/// What is wrong with a broker's certificate, found by a handshake that goes on to the end of the verification.
fn look_at_certificate(broker: &str, config: &ClientConfig) -> Option<String> {
    let (host, port) = broker.rsplit_once(':')?;
    let host = host.trim_matches(['[', ']']);
    let address = (host, port.parse().ok()?).to_socket_addrs().ok()?.next()?;
    let stream = TcpStream::connect_timeout(&address, LOOK_MAX).ok()?;
    stream.set_read_timeout(Some(LOOK_MAX)).ok()?;
    stream.set_write_timeout(Some(LOOK_MAX)).ok()?;
    let mut connector = SslConnector::builder(SslMethod::tls_client()).ok()?;
    trust(&mut connector, config);
    // OpenSSL forgets the certificate of a handshake that fails, so it is kept when it is judged.
    let judged: Arc<Mutex<Option<(X509VerifyResult, X509)>>> = Arc::default();
    let keep = Arc::clone(&judged);
    connector.set_verify_callback(SslVerifyMode::PEER, move |good, chain| {
        if let (false, Some(certificate)) = (good, chain.current_cert()) {
            let mut kept = keep.lock().unwrap_or_else(PoisonError::into_inner);
            kept.get_or_insert_with(|| (chain.error(), certificate.to_owned()));
        }
        good
    });
    let mut handshake = connector.build().configure().ok()?;
    let by_name = config.get("ssl.endpoint.identification.algorithm") != Some("none");
    handshake.set_verify_hostname(by_name);
    let _ = handshake.connect(host, stream);
    let judged = judged.lock().unwrap_or_else(PoisonError::into_inner).take();
    judged.map(|(result, certificate)| explain(result, host, &certificate, config))
}

fn trust(connector: &mut openssl::ssl::SslConnectorBuilder, config: &ClientConfig) {
    if let Some(pem) = config.get("ssl.ca.pem") {
        for certificate in X509::stack_from_pem(pem.as_bytes()).unwrap_or_default() {
            let _ = connector.cert_store_mut().add_cert(certificate);
        }
    } else if let Some(location) = config.get("ssl.ca.location").filter(|location| *location != "probe") {
        let _ = connector.set_ca_file(location);
    }
}

fn explain(
    result: X509VerifyResult,
    host: &str,
    certificate: &openssl::x509::X509Ref,
    config: &ClientConfig,
) -> String {
    /// `X509_V_ERR_…` of OpenSSL's `x509_vfy.h`.
    const NOT_YET_VALID: i32 = 9;
    const EXPIRED: i32 = 10;
    const HOSTNAME_MISMATCH: i32 = 62;
    const IP_ADDRESS_MISMATCH: i32 = 64;
    let text = result.error_string();
    match result.as_raw() {
        EXPIRED => format!(
            "the broker's certificate has expired: it was good until {}; the broker needs a new one",
            certificate.not_after()
        ),
        NOT_YET_VALID => format!(
            "the broker's certificate is good from {} on only: look at the clocks of both machines",
            certificate.not_before()
        ),
        HOSTNAME_MISMATCH | IP_ADDRESS_MISMATCH => format!(
            "the broker's certificate is for {}, not for {host}: reach it by that name, or give it a certificate for this one \
             (-X ssl.endpoint.identification.algorithm=none accepts any name, and anybody in between)",
            names_of(certificate)
        ),
        _ => match config.get("ssl.ca.location").filter(|location| *location != "probe") {
            Some(location) => format!(
                "the broker's certificate was not signed by those of {location} ({text}): give the certificate of who signed \
                 it by -X ssl.ca.location=FILE"
            ),
            None => format!(
                "the broker's certificate is not trusted ({text}): give the certificate of who signed it by -X \
                 ssl.ca.location=FILE"
            ),
        },
    }
}

/// The names and addresses that a certificate is for.
fn names_of(certificate: &openssl::x509::X509Ref) -> String {
    let mut names = Vec::new();
    for name in certificate.subject_alt_names().iter().flatten() {
        if let Some(dns) = name.dnsname() {
            names.push(dns.to_owned());
        }
        match name.ipaddress() {
            Some([a, b, c, d]) => names.push(format!("{a}.{b}.{c}.{d}")),
            Some(bytes) => {
                if let Ok(bytes) = <[u8; 16]>::try_from(bytes) {
                    names.push(std::net::Ipv6Addr::from(bytes).to_string());
                }
            }
            None => {}
        }
    }
    match names.is_empty() {
        true => "no name at all".to_owned(),
        false => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Said {
        Said {
            code: RDKafkaErrorCode::SSL,
            text: text.to_owned(),
        }
    }

    #[test]
    fn broker_and_reason_are_taken_from_librdkafkas_text() {
        let away = said(
            "127.0.0.1:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)",
        );
        assert_eq!(away.broker(), Some("127.0.0.1:9092"));
        assert_eq!(
            away.reason(),
            "Connect to ipv4#127.0.0.1:9092 failed: Connection refused"
        );
        let refused =
            said("sasl_ssl://kafka.example.com:9093/1: SASL authentication error: no (after 3ms in state AUTH_REQ)");
        assert_eq!(refused.broker(), Some("kafka.example.com:9093"));
        assert_eq!(refused.reason(), "SASL authentication error: no");
        let token = said("Failed to acquire SASL OAUTHBEARER token: it is away");
        assert_eq!((token.broker(), token.reason()), (None, token.text.as_str()));
    }
}
