//! The subscription state tables of RFC 6121 Appendix A, as pure functions.

use crate::account::roster::Subscription;
use xep_support::stanza::PresenceType;

/// What a subscription stanza from the user does (Appendix A.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outbound {
    /// Is it passed on to the contact?
    pub route: bool,
    /// The state afterwards.
    pub state: Subscription,
}

/// What a subscription stanza from the contact does (Appendix A.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inbound {
    /// Is it shown to the user?
    pub deliver: bool,
    /// Is it answered for the user with `subscribed`?
    pub approve: bool,
    /// The state afterwards.
    pub state: Subscription,
}

/// Tables A.2.1 to A.2.4. `approved` follows §3.4: `subscribed` without a request is a pre-approval, `unsubscribed`
/// takes it back.
pub fn outbound(kind: PresenceType, s: Subscription) -> Outbound {
    let mut state = s;
    let route = match kind {
        PresenceType::Subscribe => {
            state.pending_out = !s.to;
            true
        }
        PresenceType::Unsubscribe => {
            state.to = false;
            state.pending_out = false;
            true
        }
        PresenceType::Subscribed => {
            if s.pending_in {
                state.from = true;
                state.pending_in = false;
            }
            state.approved = s.approved || !s.from && !s.pending_in;
            s.pending_in
        }
        PresenceType::Unsubscribed => {
            state.from = false;
            state.pending_in = false;
            state.approved = false;
            s.from || s.pending_in
        }
        _ => false,
    };
    Outbound { route, state }
}

/// Tables A.3.1 to A.3.4.
pub fn inbound(kind: PresenceType, s: Subscription) -> Inbound {
    let mut state = s;
    let (deliver, approve) = match kind {
        PresenceType::Subscribe if s.from => (false, true),
        PresenceType::Subscribe if s.approved => {
            state.from = true;
            state.pending_in = false;
            state.approved = false;
            (false, true)
        }
        PresenceType::Subscribe => {
            state.pending_in = true;
            (!s.pending_in, false)
        }
        PresenceType::Unsubscribe => {
            state.from = false;
            state.pending_in = false;
            (s.from || s.pending_in, false)
        }
        PresenceType::Subscribed => {
            state.to = s.to || s.pending_out;
            state.pending_out = false;
            (s.pending_out, false)
        }
        PresenceType::Unsubscribed => {
            state.to = false;
            state.pending_out = false;
            (s.to || s.pending_out, false)
        }
        _ => (false, false),
    };
    Inbound { deliver, approve, state }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PresenceType::{Subscribe, Subscribed, Unsubscribe, Unsubscribed};

    /// The nine states of Appendix A.1 by the RFC's names.
    fn state(name: &str) -> Subscription {
        let (base, pending) = name.split_once('+').unwrap_or((name, ""));
        Subscription {
            to: matches!(base, "To" | "Both"),
            from: matches!(base, "From" | "Both"),
            pending_out: pending.contains("Out"),
            pending_in: pending.contains("In"),
            approved: false,
        }
    }

    const STATES: [&str; 9] = ["None", "None+Out", "None+In", "None+OutIn", "To", "To+In", "From", "From+Out", "Both"];

    /// Rows: existing state, passed on (routed or delivered), new state; in the order of `STATES`.
    fn check_outbound(kind: PresenceType, rows: [(bool, &str); 9]) {
        for (from, (route, to)) in STATES.into_iter().zip(rows) {
            let mut got = outbound(kind, state(from));
            got.state.approved = false;
            assert_eq!(got, Outbound { route, state: state(to) }, "outbound {kind:?} in {from}");
        }
    }

    fn check_inbound(kind: PresenceType, rows: [(bool, &str); 9]) {
        for (from, (deliver, to)) in STATES.into_iter().zip(rows) {
            let got = inbound(kind, state(from));
            assert_eq!((got.deliver, got.state), (deliver, state(to)), "inbound {kind:?} in {from}");
        }
    }

    #[test]
    fn table_a_2_1_outbound_subscribe() {
        check_outbound(
            Subscribe,
            [
                (true, "None+Out"),
                (true, "None+Out"),
                (true, "None+OutIn"),
                (true, "None+OutIn"),
                (true, "To"),
                (true, "To+In"),
                (true, "From+Out"),
                (true, "From+Out"),
                (true, "Both"),
            ],
        );
    }

    #[test]
    fn table_a_2_2_outbound_unsubscribe() {
        check_outbound(
            Unsubscribe,
            [
                (true, "None"),
                (true, "None"),
                (true, "None+In"),
                (true, "None+In"),
                (true, "None"),
                (true, "None+In"),
                (true, "From"),
                (true, "From"),
                (true, "From"),
            ],
        );
    }

    #[test]
    fn table_a_2_3_outbound_subscribed() {
        check_outbound(
            Subscribed,
            [
                (false, "None"),
                (false, "None+Out"),
                (true, "From"),
                (true, "From+Out"),
                (false, "To"),
                (true, "Both"),
                (false, "From"),
                (false, "From+Out"),
                (false, "Both"),
            ],
        );
    }

    #[test]
    fn table_a_2_4_outbound_unsubscribed() {
        check_outbound(
            Unsubscribed,
            [
                (false, "None"),
                (false, "None+Out"),
                (true, "None"),
                (true, "None+Out"),
                (false, "To"),
                (true, "To"),
                (true, "None"),
                (true, "None+Out"),
                (true, "To"),
            ],
        );
    }

    #[test]
    fn table_a_3_1_inbound_subscribe() {
        check_inbound(
            Subscribe,
            [
                (true, "None+In"),
                (true, "None+OutIn"),
                (false, "None+In"),
                (false, "None+OutIn"),
                (true, "To+In"),
                (false, "To+In"),
                (false, "From"),
                (false, "From+Out"),
                (false, "Both"),
            ],
        );
        for from in ["From", "From+Out", "Both"] {
            assert!(inbound(Subscribe, state(from)).approve, "{from} is answered for the user");
        }
    }

    #[test]
    fn table_a_3_2_inbound_unsubscribe() {
        check_inbound(
            Unsubscribe,
            [
                (false, "None"),
                (false, "None+Out"),
                (true, "None"),
                (true, "None+Out"),
                (false, "To"),
                (true, "To"),
                (true, "None"),
                (true, "None+Out"),
                (true, "To"),
            ],
        );
    }

    #[test]
    fn table_a_3_3_inbound_subscribed() {
        check_inbound(
            Subscribed,
            [
                (false, "None"),
                (true, "To"),
                (false, "None+In"),
                (true, "To+In"),
                (false, "To"),
                (false, "To+In"),
                (false, "From"),
                (true, "Both"),
                (false, "Both"),
            ],
        );
    }

    #[test]
    fn table_a_3_4_inbound_unsubscribed() {
        check_inbound(
            Unsubscribed,
            [
                (false, "None"),
                (true, "None"),
                (false, "None+In"),
                (true, "None+In"),
                (true, "None"),
                (true, "None+In"),
                (false, "From"),
                (true, "From"),
                (true, "From"),
            ],
        );
    }

    #[test]
    fn a_pre_approval_answers_the_request_when_it_comes() {
        for from in ["None", "None+Out", "To"] {
            let approved = outbound(Subscribed, state(from));
            assert!(approved.state.approved && !approved.route, "{from}");
            let answered = inbound(Subscribe, approved.state);
            assert!(answered.approve && !answered.deliver && answered.state.from && !answered.state.approved, "{from}");
            assert!(!outbound(Unsubscribed, approved.state).state.approved, "{from}");
        }
    }
}
