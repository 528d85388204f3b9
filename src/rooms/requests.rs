//! Requests of occupants to one another that are on their way (XEP-0045 §17.4 number 3): whoever asks is answered once,
//! even if the one who is asked goes. And their last private messages, since some are refused.

use crate::account::resource::Resource;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use xep_support::jid::Jid;

/// Requests that one session has not answered; of more, the oldest is given up.
const UNANSWERED_MAX: usize = 100;
/// The same for those of one asker: nobody crowds out the others.
const UNANSWERED_OF_ONE_MAX: usize = 20;
/// Private messages of a room that can be refused: the latest.
const PRIVATE_MAX: usize = 64;
/// Bytes of an id that is remembered.
pub const ID_BYTES_MAX: usize = 1_024;

/// A request or a private message that was passed on.
pub struct Request {
    /// Who asks; it is answered even after it has left the room.
    pub asker: Arc<Resource>,
    /// Whom it has asked: the answer comes from there.
    pub occupant: Jid,
    /// Its own id.
    pub id: Box<str>,
}

/// Those of a room, by the numbers of the sessions that were asked.
pub struct Requests {
    of: HashMap<u32, VecDeque<(u64, Request)>>,
    last: u64,
    private: VecDeque<(u32, Request)>,
}

impl Requests {
    /// None. `first` is larger than in an earlier life of the room: late answers to that are none now.
    pub fn new(first: u64) -> Self {
        Self { of: HashMap::new(), last: first, private: VecDeque::new() }
    }

    /// The number by which the next one will be known.
    pub fn next(&self) -> u64 {
        self.last + 1
    }

    /// This session is asked. The request that is given up for it.
    pub fn add(&mut self, asked: u32, request: Request) -> Option<Request> {
        self.last += 1;
        let waiting = self.of.entry(asked).or_default();
        let is_own = |(_, known): &(u64, Request)| Arc::ptr_eq(&known.asker, &request.asker);
        let oldest = match waiting.iter().filter(|known| is_own(known)).count() >= UNANSWERED_OF_ONE_MAX {
            true => waiting.iter().position(is_own),
            false => (waiting.len() >= UNANSWERED_MAX).then_some(0),
        };
        let given_up = oldest.and_then(|at| waiting.remove(at)).map(|(_, given_up)| given_up);
        waiting.push_back((self.last, request));
        given_up
    }

    /// This session answers the one with this number.
    pub fn answered(&mut self, asked: u32, number: u64) -> Option<Request> {
        let waiting = self.of.get_mut(&asked)?;
        let at = waiting.iter().position(|(known, _)| *known == number)?;
        let (_, request) = waiting.remove(at)?;
        if waiting.is_empty() {
            self.of.remove(&asked);
        }
        Some(request)
    }

    /// This session will answer none any more.
    pub fn give_up(&mut self, asked: u32) -> impl Iterator<Item = Request> + use<> {
        self.of.remove(&asked).into_iter().flatten().map(|(_, request)| request)
    }

    /// This session has another number.
    pub fn moved(&mut self, before: u32, after: u32) {
        if let Some(waiting) = self.of.remove(&before) {
            self.of.insert(after, waiting);
        }
    }

    /// This session is given a private message.
    pub fn told(&mut self, number: u32, message: Request) {
        if message.id.is_empty() || message.id.len() > ID_BYTES_MAX {
            return;
        }
        if self.private.len() >= PRIVATE_MAX {
            self.private.pop_front();
        }
        self.private.push_back((number, message));
    }

    /// This session refuses the one of this id.
    pub fn refused(&mut self, number: u32, id: &str) -> Option<Request> {
        let at = self.private.iter().position(|(to, message)| *to == number && *message.id == *id)?;
        self.private.remove(at).map(|(_, message)| message)
    }
}
