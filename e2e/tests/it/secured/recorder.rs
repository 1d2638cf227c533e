//! A listener that speaks just enough of Kafka to be told a token: what Amazon MSK gets to see.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};

/// Waits for clients, records what they log in with, and refuses them.
pub(super) struct Recorder {
    pub(super) address: String,
    /// The text of each login: RFC 7628's `n,,\x01auth=Bearer …\x01\x01`.
    pub(super) logins: Receiver<String>,
}

impl Recorder {
    pub(super) fn start() -> Recorder {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (sender, logins) = channel();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let sender = sender.clone();
                std::thread::spawn(move || serve(connection, &sender));
            }
        });
        Recorder { address, logins }
    }
}

fn serve(mut connection: TcpStream, logins: &Sender<String>) -> std::io::Result<()> {
    const API_VERSIONS: i16 = 18;
    const SASL_HANDSHAKE: i16 = 17;
    const SASL_AUTHENTICATE: i16 = 36;
    const UNSUPPORTED_VERSION: i16 = 35;
    const SASL_AUTHENTICATION_FAILED: i16 = 58;
    loop {
        let mut length = [0; 4];
        connection.read_exact(&mut length)?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        connection.read_exact(&mut frame)?;
        let i16_at = |place: usize| i16::from_be_bytes([frame[place], frame[place + 1]]);
        let (key, version) = (i16_at(0), i16_at(2));
        let client_id = usize::try_from(i16_at(8)).unwrap_or_default();
        let body = &frame[10 + client_id..];
        let mut answer = frame[4..8].to_vec();
        match key {
            API_VERSIONS => {
                let error = if version == 0 { 0 } else { UNSUPPORTED_VERSION };
                answer.extend(error.to_be_bytes());
                let versions: [[i16; 3]; 4] = [
                    [3, 0, 4],
                    [SASL_HANDSHAKE, 0, 1],
                    [API_VERSIONS, 0, 0],
                    [SASL_AUTHENTICATE, 0, 0],
                ];
                answer.extend((versions.len() as i32).to_be_bytes());
                answer.extend(versions.iter().flatten().flat_map(|number| number.to_be_bytes()));
            }
            SASL_HANDSHAKE => {
                answer.extend([0, 0, 0, 0, 0, 1, 0, 11]);
                answer.extend(b"OAUTHBEARER");
            }
            SASL_AUTHENTICATE => {
                let _ = logins.send(String::from_utf8_lossy(&body[4..]).into_owned());
                let reason = b"Access denied";
                answer.extend(SASL_AUTHENTICATION_FAILED.to_be_bytes());
                answer.extend((reason.len() as i16).to_be_bytes());
                answer.extend(reason);
                answer.extend([0; 4]);
            }
            _ => return Ok(()),
        }
        connection.write_all(&(answer.len() as u32).to_be_bytes())?;
        connection.write_all(&answer)?;
    }
}
