//! Which clients are recommended on which platform (XEP-0379 §3.3): those that take part in onboarding, by their own sites.

use std::fmt::Write as _;

struct Platform {
    name: &'static str,
    apps: &'static [(&'static str, &'static str)],
}

const ANDROID: Platform = Platform {
    name: "Android",
    apps: &[("Conversations", "https://conversations.im/"), ("Cheogram", "https://cheogram.com/")],
};
const IOS: Platform = Platform {
    name: "iPhone and iPad",
    apps: &[("Monal", "https://monal-im.org/"), ("Siskin IM", "https://siskin.im/")],
};
const MAC: Platform =
    Platform { name: "Mac", apps: &[("Monal", "https://monal-im.org/"), ("Beagle IM", "https://beagle.im/")] };
const WINDOWS: Platform = Platform { name: "Windows", apps: &[("Gajim", "https://gajim.org/")] };
const LINUX: Platform =
    Platform { name: "Linux", apps: &[("Dino", "https://dino.im/"), ("Gajim", "https://gajim.org/")] };
const ALL: [&Platform; 5] = [&ANDROID, &IOS, &WINDOWS, &MAC, &LINUX];

/// What the browser says it runs on. iPads call themselves Macs; then they see what Macs see.
fn of(user_agent: &str) -> Option<&'static Platform> {
    let names: [(&[&str], &Platform); 5] = [
        (&["Android"], &ANDROID),
        (&["iPhone", "iPad", "iPod"], &IOS),
        (&["Windows"], &WINDOWS),
        (&["Macintosh", "Mac OS X"], &MAC),
        (&["Linux", "X11"], &LINUX),
    ];
    names
        .into_iter()
        .find(|(words, _)| words.iter().any(|word| user_agent.contains(word)))
        .map(|(_, platform)| platform)
}

/// The recommendations as HTML: those for this platform, the others folded away.
pub(in crate::http) fn list(user_agent: &str) -> String {
    let own = of(user_agent);
    let mut out = String::new();
    if let Some(own) = own {
        let _ = writeln!(out, "<p>For {}: {}.</p>", own.name, links(own));
        out.push_str("<details>\n<summary>On another device</summary>\n");
    }
    out.push_str("<dl>\n");
    let others = ALL.into_iter().filter(|platform| own.is_none_or(|own| own.name != platform.name));
    for platform in others {
        let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", platform.name, links(platform));
    }
    out.push_str("</dl>\n<p class=\"soft\">There are <a href=\"https://xmpp.org/software/\">many more</a>.</p>\n");
    if own.is_some() {
        out.push_str("</details>\n");
    }
    out
}

fn links(platform: &Platform) -> String {
    let link = |(name, url): &(&str, &str)| format!("<a href=\"{url}\" rel=\"noreferrer\">{name}</a>");
    platform.apps.iter().map(link).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_says_what_it_runs_on() {
        let rows = [
            ("Mozilla/5.0 (Linux; Android 15; Pixel 8) AppleWebKit/537.36", Some("Android")),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)", Some("iPhone and iPad")),
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64)", Some("Windows")),
            ("Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5)", Some("Mac")),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0)", Some("Linux")),
            ("curl/8", None),
        ];
        for (user_agent, name) in rows {
            assert_eq!(of(user_agent).map(|platform| platform.name), name, "{user_agent}");
        }
    }

    #[test]
    fn every_platform_is_listed_once() {
        for user_agent in ["", "Android", "Windows"] {
            let html = list(user_agent);
            for platform in ALL {
                assert_eq!(
                    html.matches(&format!("{}<", platform.name)).count()
                        + html.matches(&format!("For {}:", platform.name)).count(),
                    1,
                    "{html}"
                );
            }
            assert_eq!(html.contains("<details>"), !user_agent.is_empty());
        }
    }
}
