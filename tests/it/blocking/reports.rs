//! Reports (XEP-0377): whatever they look like, the blocking goes on as if they were not there.

use super::expect_list;
use crate::support::TestServer;

#[test]
fn reports_do_not_change_what_is_blocked() {
    let server = TestServer::start();
    let mut juliet = server.online("juliet", "balcony");
    let long = "ä".repeat(5_000);
    let reports = [
        "<report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:spam'/>".to_owned(),
        format!(
            "<report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:abuse'><text xml:lang='en'>{long}</text>\
             <stanza-id xmlns='urn:xmpp:sid:0' by='juliet@im.example' id='1'/><report-origin/><third-party/></report>"
        ),
        "<report xmlns='urn:xmpp:reporting:1'/>".to_owned(),
        "<report xmlns='urn:x'/>".to_owned(),
    ];
    for (n, report) in reports.iter().enumerate() {
        juliet.send(&format!(
            "<iq type='set' id='{n}'><block xmlns='urn:xmpp:blocking'><item jid='spam{n}@im.example'>{report}</item>\
             </block></iq>"
        ));
        juliet.expect(&format!("<iq type='result' id='{n}' to='{{jid}}' from='{{opt}}'/>"));
    }
    expect_list(&mut juliet, &["spam0@im.example", "spam1@im.example", "spam2@im.example", "spam3@im.example"]);
}
