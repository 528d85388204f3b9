//! A client with stream management (XEP-0198) that takes its session up again, whichever server process answers.

use crate::client::{Client, Over, attribute};
use std::collections::VecDeque;
use std::fmt::Write;
use std::net::SocketAddr;

const SM: &str = "urn:xmpp:sm:3";

/// What a client knows of its session, with or without a connection.
pub(crate) struct Session {
    id: String,
    /// Stanzas read.
    received: u32,
    /// Of these the server is known to know.
    confirmed: u32,
    /// Pings that were sent, each with what was acknowledged before.
    pings: VecDeque<(String, u32)>,
    /// Of ours, those the server has acknowledged.
    acknowledged: u32,
    unacknowledged: VecDeque<Sent>,
}

/// A stanza of ours.
struct Sent {
    /// The number of the message, if it is one that counts.
    number: Option<u64>,
    xml: String,
}

/// A connection that serves a session.
pub(crate) struct Line {
    client: Client,
    session: Session,
}

/// How a connection began.
pub(crate) enum Began {
    /// These messages were acknowledged, the others sent again.
    Resumed(Vec<u64>),
    /// There was nothing to resume.
    New,
    /// The session is gone.
    Lost,
}

/// What an element from the server means.
pub(crate) enum Event {
    Acknowledged(Vec<u64>),
    /// A stanza, and the number of its kind on this session.
    Stanza(u32),
    Nothing,
}

impl Session {
    fn acknowledge(&mut self, h: u32) -> Vec<u64> {
        let count = h.wrapping_sub(self.acknowledged) as usize;
        assert!(count <= self.unacknowledged.len(), "{h} of {} + {}", self.acknowledged, self.unacknowledged.len());
        self.acknowledged = h;
        self.unacknowledged.drain(..count).filter_map(|sent| sent.number).collect()
    }

    /// Stanzas beyond this one may come again on another session.
    pub(crate) fn confirmed(&self) -> u32 {
        self.confirmed
    }
}

impl Line {
    /// Logs in, and resumes `old` if there is such a session; if that does not come to its end, it is still there.
    pub(crate) async fn begin(
        address: SocketAddr,
        name: &str,
        resource: &str,
        old: &mut Option<Session>,
    ) -> Result<(Self, Began), Over> {
        let mut client = Client::authenticated(address, name).await?;
        let mut began = Began::New;
        if let Some(session) = old {
            client.write(&format!("<resume xmlns='{SM}' previd='{}' h='{}'/>", session.id, session.received)).await?;
            let answer = client.next().await?;
            if answer.starts_with("<resumed") {
                let mut session = old.take().expect("it is there");
                let h = attribute(&answer, "h").and_then(|h| h.parse().ok()).expect("a count");
                session.confirmed = session.received;
                session.pings.clear();
                let acknowledged = session.acknowledge(h);
                let again: String = session.unacknowledged.iter().map(|sent| sent.xml.as_str()).collect();
                let mut line = Self { client, session };
                if line.client.write(&again).await.is_err() {
                    // It is for the next one.
                    *old = Some(line.session);
                    return Err(Over);
                }
                return Ok((line, Began::Resumed(acknowledged)));
            }
            assert!(answer.starts_with("<failed"), "{answer}");
            began = Began::Lost;
        }
        client.bind(resource).await?;
        client.write(&format!("<enable xmlns='{SM}' resume='true'/>")).await?;
        let enabled = client.until("<enabled").await?;
        *old = None;
        let id = attribute(&enabled, "id").expect("an id").to_owned();
        let session = Session {
            id,
            received: 0,
            confirmed: 0,
            pings: VecDeque::new(),
            acknowledged: 0,
            unacknowledged: VecDeque::new(),
        };
        Ok((Self { client, session }, began))
    }

    /// Adds stanzas to what is to be written; they count from now on.
    pub(crate) fn push(&mut self, number: Option<u64>, stanza: String, xml: &mut String) {
        xml.push_str(&stanza);
        self.session.unacknowledged.push_back(Sent { number, xml: stanza });
    }

    pub(crate) fn unacknowledged(&self) -> usize {
        self.session.unacknowledged.len()
    }

    pub(crate) fn request(xml: &mut String) {
        let _ = write!(xml, "<r xmlns='{SM}'/>");
    }

    pub(crate) fn acknowledge(&self, xml: &mut String) {
        let _ = write!(xml, "<a xmlns='{SM}' h='{}'/>", self.session.received);
    }

    /// Acknowledges, and asks whether the server has heard it.
    pub(crate) async fn confirm(&mut self) -> Result<(), Over> {
        let mut xml = String::new();
        self.acknowledge(&mut xml);
        let id = format!("confirm{}", self.session.received);
        let ping = format!("<iq type='get' id='{id}' to='{}'><ping xmlns='urn:xmpp:ping'/></iq>", crate::DOMAIN);
        self.push(None, ping, &mut xml);
        self.session.pings.push_back((id, self.session.received));
        self.write(&xml).await
    }

    pub(crate) async fn write(&mut self, xml: &str) -> Result<(), Over> {
        self.client.write(xml).await
    }

    /// The next element. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<String, Over> {
        self.client.next().await
    }

    /// To be told every element that was read.
    pub(crate) fn read(&mut self, element: &str, answer: &mut String) -> Event {
        let session = &mut self.session;
        if element.starts_with("<r ") {
            self.acknowledge(answer);
            return Event::Nothing;
        }
        if element.starts_with("<a ") {
            let h = attribute(element, "h").and_then(|h| h.parse().ok()).expect("a count");
            return Event::Acknowledged(session.acknowledge(h));
        }
        if !["<message", "<presence", "<iq"].iter().any(|start| element.starts_with(start)) {
            return Event::Nothing;
        }
        session.received += 1;
        if element.starts_with("<iq")
            && let Some(id) = attribute(element, "id")
            && let Some(at) = session.pings.iter().position(|(ping, _)| ping == id)
        {
            let (_, confirmed) = session.pings.drain(..=at).next_back().expect("found");
            session.confirmed = session.confirmed.max(confirmed);
        }
        Event::Stanza(session.received)
    }

    /// The connection is lost, or given up.
    pub(crate) fn into_session(self) -> Session {
        self.session
    }

    /// The same, and what the server wrote before it was killed.
    pub(crate) async fn read_to_end(mut self, mut note: impl FnMut(u32, &str)) -> Session {
        while let Ok(element) = self.client.next().await {
            if let Event::Stanza(number) = self.read(&element, &mut String::new()) {
                note(number, &element);
            }
        }
        self.session
    }
}
