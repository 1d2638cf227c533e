//! One blocking connection to a broker, on which anything can be asked and any bytes sent.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tickertape_broker::wire::shapes::{self, Message};

use crate::value::{self, TopicIds, Unsayable};

/// How long to wait for an answer that must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a broker does with a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It answers.
    Message(Value),
    /// It closes the connection.
    Closed,
    /// It takes the request, answers nothing, and goes on with the next.
    Nothing,
}

impl Answer {
    /// The answer as a tree, whatever it is, to be compared and printed.
    #[must_use]
    pub fn into_value(self) -> Value {
        match self {
            Answer::Message(value) => value,
            Answer::Closed => "(the connection is closed)".into(),
            Answer::Nothing => "(no answer)".into(),
        }
    }
}

/// Why nothing could be asked.
#[derive(Debug)]
pub enum AskError {
    /// The request cannot be encoded.
    Unsayable(Unsayable),
    /// The connection, or the answer, is not as it should be.
    Broken(anyhow::Error),
}

impl From<anyhow::Error> for AskError {
    fn from(error: anyhow::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<AskError> for anyhow::Error {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Unsayable(unsayable) => anyhow::anyhow!("the request cannot be said: {unsayable:?}"),
            AskError::Broken(error) => error,
        }
    }
}

/// Topic names and ids, as one broker told them.
#[derive(Debug, Default, Clone)]
pub struct KnownTopics {
    ids: HashMap<String, [u8; 16]>,
    // A topic that was deleted and made anew has had several.
    topics: HashMap<[u8; 16], String>,
}

impl KnownTopics {
    /// Notes a topic's id.
    pub fn learn(&mut self, topic: &str, id: [u8; 16]) {
        self.ids.insert(topic.to_owned(), id);
        self.topics.insert(id, topic.to_owned());
    }
}

impl TopicIds for KnownTopics {
    fn id_of(&self, topic: &str) -> Option<[u8; 16]> {
        self.ids.get(topic).copied()
    }

    fn topic_of(&self, id: &[u8; 16]) -> Option<String> {
        self.topics.get(id).cloned()
    }
}

/// A request that was sent and whose answer is still to be taken.
#[derive(Debug)]
pub struct Ticket {
    response: &'static Message,
    version: i16,
    correlation_id: i32,
}

/// A connection, opened anew after the broker has closed it.
#[derive(Debug)]
pub struct Client {
    address: String,
    stream: Option<TcpStream>,
    next_correlation_id: i32,
    client_id: String,
    /// The topics whose ids are known.
    pub topics: KnownTopics,
}

impl Client {
    /// Connects to `host:port`.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn connect(address: &str) -> anyhow::Result<Self> {
        Ok(Self {
            address: address.to_owned(),
            stream: Some(open(address)?),
            next_correlation_id: 1,
            client_id: "judge".to_owned(),
            topics: KnownTopics::default(),
        })
    }

    /// The same under another client id.
    #[must_use]
    pub fn with_client_id(mut self, client_id: &str) -> Self {
        client_id.clone_into(&mut self.client_id);
        self
    }

    /// `host:port`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Sends a request, by the API's name, and waits for what the broker does.
    ///
    /// # Errors
    /// The version cannot say it; the connection breaks; the answer does not follow its shape.
    pub fn ask(&mut self, api: &str, version: i16, request: &Value) -> Result<Answer, AskError> {
        let body = self.encode(api, version, request)?;
        Ok(self.ask_body(api, version, &body)?)
    }

    /// A request's body.
    ///
    /// # Errors
    /// The version cannot say it.
    pub fn encode(&self, api: &str, version: i16, request: &Value) -> Result<Vec<u8>, AskError> {
        let (shape, _) = shapes_of(api)?;
        value::encode(shape, version, request, &self.topics).map_err(AskError::Unsayable)
    }

    /// Sends a body that is already encoded, rightly or wrongly.
    ///
    /// # Errors
    /// The connection breaks; the answer does not follow its shape.
    pub fn ask_body(&mut self, api: &str, version: i16, body: &[u8]) -> anyhow::Result<Answer> {
        let (request, response) = shapes_of(api)?;
        let correlation_id = self.send(request, version, body)?;
        self.receive(response, version, correlation_id)
    }

    /// As [`Self::ask_body`] of a request that may be taken without an answer: another follows it at once, and what is
    /// answered first tells.
    ///
    /// # Errors
    /// The connection breaks; the answer does not follow its shape.
    pub fn ask_body_quietly(&mut self, api: &str, version: i16, body: &[u8]) -> anyhow::Result<Answer> {
        let (request, response) = shapes_of(api)?;
        let (next, next_response) = shapes_of("ApiVersions")?;
        let correlation_id = self.send(request, version, body)?;
        let next_body = value::encode(next, 0, &json!({}), &self.topics).unwrap_or_default();
        // It may be closed by now, and the answer says so.
        let Ok(next_correlation_id) = self.send(next, 0, &next_body) else {
            self.stream = None;
            return Ok(Answer::Closed);
        };
        let Some(frame) = self.read_frame()? else {
            return Ok(Answer::Closed);
        };
        if correlation_of(&frame)? == next_correlation_id {
            return Ok(Answer::Nothing);
        }
        let answer = self.decode(response, version, correlation_id, &frame)?;
        match self.receive(next_response, 0, next_correlation_id)? {
            Answer::Message(_) => Ok(answer),
            _ => Ok(Answer::Closed),
        }
    }

    /// Sends a body whose answer is taken later, by [`Self::finish`] or [`Self::poll`].
    ///
    /// # Errors
    /// The connection breaks.
    pub fn start(&mut self, api: &str, version: i16, body: &[u8]) -> anyhow::Result<Ticket> {
        let (request, response) = shapes_of(api)?;
        Ok(Ticket {
            response,
            version,
            correlation_id: self.send(request, version, body)?,
        })
    }

    /// Waits for the answer to what was started.
    ///
    /// # Errors
    /// The connection breaks; the answer does not follow its shape.
    pub fn finish(&mut self, ticket: &Ticket) -> anyhow::Result<Answer> {
        self.receive(ticket.response, ticket.version, ticket.correlation_id)
    }

    /// The answer to what was started, if it comes in time.
    ///
    /// # Errors
    /// The connection breaks; the answer does not follow its shape.
    pub fn poll(&mut self, ticket: &Ticket, patience: Duration) -> anyhow::Result<Option<Answer>> {
        if let Some(stream) = &self.stream {
            // No time at all is not to be had.
            stream.set_read_timeout(Some(patience.max(Duration::from_micros(1))))?;
            let peeked = stream.peek(&mut [0]);
            stream.set_read_timeout(Some(PATIENCE))?;
            use std::io::ErrorKind::{TimedOut, WouldBlock};
            if let Err(error) = &peeked
                && matches!(error.kind(), TimedOut | WouldBlock)
            {
                return Ok(None);
            }
        }
        self.finish(ticket).map(Some)
    }

    fn send(&mut self, request: &Message, version: i16, body: &[u8]) -> anyhow::Result<i32> {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id += 1;
        let mut frame = vec![0; 4];
        frame.extend(request.api_key.to_be_bytes());
        frame.extend(version.to_be_bytes());
        frame.extend(correlation_id.to_be_bytes());
        frame.extend((self.client_id.len() as i16).to_be_bytes());
        frame.extend(self.client_id.as_bytes());
        if request.header_version(version) >= 2 {
            frame.push(0);
        }
        frame.extend(body);
        let length = (frame.len() - 4) as i32;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        let stream = match &mut self.stream {
            Some(stream) => stream,
            closed => closed.insert(open(&self.address)?),
        };
        stream.write_all(&frame).context("sending")?;
        Ok(correlation_id)
    }

    fn receive(&mut self, response: &Message, version: i16, correlation_id: i32) -> anyhow::Result<Answer> {
        match self.read_frame()? {
            Some(frame) => self.decode(response, version, correlation_id, &frame),
            None => Ok(Answer::Closed),
        }
    }

    fn decode(&self, response: &Message, version: i16, correlation_id: i32, frame: &[u8]) -> anyhow::Result<Answer> {
        let answered = correlation_of(frame)?;
        anyhow::ensure!(
            answered == correlation_id,
            "{answered} is answered, not {correlation_id}"
        );
        let mut body = &frame[4..];
        let mut version = version;
        if response.header_version(version) >= 1 {
            anyhow::ensure!(
                body.first() == Some(&0),
                "{}: no empty tagged fields in its header",
                response.name
            );
            body = &body[1..];
        }
        // An unknown version of ApiVersions is answered in version 0.
        if response.api_key == 18 && (!response.versions.contains(version) || body.starts_with(&[0, 35])) {
            version = 0;
        }
        let value = value::decode(response, version, body, &self.topics).map_err(anyhow::Error::msg)?;
        Ok(Answer::Message(value))
    }

    /// The next frame without its length; `None` where the broker closes the connection.
    fn read_frame(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        let Some(stream) = &mut self.stream else {
            return Ok(None);
        };
        let mut length = [0; 4];
        let mut frame = Vec::new();
        let read = stream.read_exact(&mut length).and_then(|()| {
            frame.resize(u32::from_be_bytes(length) as usize, 0);
            stream.read_exact(&mut frame)
        });
        use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        match read {
            Ok(()) => Ok(Some(frame)),
            Err(error)
                if matches!(
                    error.kind(),
                    BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
                ) =>
            {
                self.stream = None;
                Ok(None)
            }
            Err(error) => {
                self.stream = None;
                Err(error).context("neither an answer nor a closed connection")
            }
        }
    }
}

fn open(address: &str) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| address.to_owned())?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn correlation_of(frame: &[u8]) -> anyhow::Result<i32> {
    let bytes = frame
        .get(..4)
        .and_then(|bytes| bytes.try_into().ok())
        .context("a frame without a header")?;
    Ok(i32::from_be_bytes(bytes))
}

/// The request and the response of an API, by its name.
///
/// # Errors
/// There is no such API.
pub fn shapes_of(api: &str) -> anyhow::Result<(&'static Message, &'static Message)> {
    let request = shapes::message(&format!("{api}Request"));
    let response = shapes::message(&format!("{api}Response"));
    request.zip(response).with_context(|| format!("there is no API {api}"))
}
