//! Pages for people.

use super::layout::{Page, escape};
use super::reply::Reply;
use super::routes::Call;
use super::{chat, host_meta, invite};
use crate::config::{Config, RegistrationMode};
use crate::extension::BoxFuture;
use hyper::header;
use std::fmt::Write as _;
use std::net::SocketAddr;

/// `/` says what this server is.
pub fn front(call: Call) -> BoxFuture<Reply> {
    Box::pin(async move { front_page(&call).reply() })
}

fn front_page(call: &Call) -> Page {
    let core = &call.web.core;
    let config = core.config();
    let domain = host_meta::domain(call);
    let shown = escape(&domain);
    let has_client = core.site.client.load().is_some();
    let domains: Vec<String> = core.hosts.iter().map(|host| format!("<b>{}</b>", escape(host.jid.as_str()))).collect();
    let main = format!(
        "<h1>Chat at {shown}</h1>\n\
         <p class=\"lead\">This is an XMPP server for {}. XMPP, also called Jabber, is chat the way e-mail is mail: there are \
         many servers, many programs, and an address such as <code>you@{shown}</code>.</p>\n{}{}{}{}",
        listed(&domains),
        if has_client { browser(&config) } else { String::new() },
        programs(call, &config, has_client),
        addresses(call, &config, &shown),
        contact(&config),
    );
    Page::new(format!("Chat at {domain}"), main)
}

/// `a`, `a and b`, `a, b and c`.
fn listed(all: &[String]) -> String {
    match all {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

fn browser(config: &Config) -> String {
    let register = match config.registration.mode {
        RegistrationMode::Open => {
            "<p><a class=\"button quiet\" href=\"chat#converse/register\">Make an account</a></p>\n"
        }
        _ => "",
    };
    let chat = chat::PATH.trim_start_matches('/');
    format!(
        "<section>\n<h2>In this browser</h2>\n<p><a class=\"button\" href=\"{chat}\">Log in and chat</a></p>\n{register}\
         </section>\n"
    )
}

fn programs(call: &Call, config: &Config, has_client: bool) -> String {
    let account = match config.registration.mode {
        RegistrationMode::Open => "Most of them can make an account here, too.",
        RegistrationMode::Invite => "Accounts are made by invitation: open the link that you were sent.",
        RegistrationMode::Closed => "Accounts are made by whoever runs this server.",
    };
    let title = if has_client { "With another program" } else { "With a program of yours" };
    let user_agent = call.request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    format!(
        "<section>\n<h2>{title}</h2>\n<p>Give it your address and your password; there is nothing else to set. \
         {account}</p>\n{}</section>\n",
        invite::apps::list(user_agent.unwrap_or_default())
    )
}

/// For the few programs that ask.
fn addresses(call: &Call, config: &Config, domain: &str) -> String {
    let mut rows = String::new();
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(rows, "<dt>{name}</dt><dd><code>{}</code></dd>", escape(value));
    };
    let port = |all: &[SocketAddr]| all.iter().map(SocketAddr::port).find(|port| *port != 0);
    if let Some(port) = port(&config.c2s.listen) {
        row("STARTTLS", &format!("port {port}"));
    }
    if let Some(port) = port(&config.c2s.tls_listen) {
        row("TLS", &format!("port {port}"));
    }
    for (relation, href) in host_meta::links(call) {
        match relation.rsplit(':').next() {
            Some("websocket") => row("WebSocket", &href),
            Some("xbosh") => row("BOSH", &href),
            _ => {}
        }
    }
    if rows.is_empty() {
        return rows;
    }
    format!(
        "<section>\n<h2>If a program asks for more</h2>\n<dl>\n<dt>Server</dt><dd><code>{domain}</code></dd>\n{rows}</dl>\n\
         </section>\n"
    )
}

fn contact(config: &Config) -> String {
    let uri = config.contact.support.iter().chain(&config.contact.admin).chain(&config.contact.abuse).next();
    uri.map_or(String::new(), |uri| {
        let uri = escape(uri);
        format!("<p class=\"soft\">Questions go to <a href=\"{uri}\">{uri}</a>.</p>\n")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_are_listed_as_people_do() {
        let rows = [(&[][..], ""), (&["a"], "a"), (&["a", "b"], "a and b"), (&["a", "b", "c"], "a, b and c")];
        for (all, text) in rows {
            let all: Vec<String> = all.iter().map(|one: &&str| (*one).to_owned()).collect();
            assert_eq!(listed(&all), text);
        }
    }
}
