//! Settings by flag.

use clap::Args;

/// Settings by flag; each wins over its environment variable and over the file.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Settings")]
pub struct Settings {
    /// Domains to serve, separated by commas [env: MAGPIE_DOMAIN]
    #[arg(long, value_name = "DOMAINS")]
    pub domain: Option<String>,
    /// Administrators' addresses, separated by commas [env: MAGPIE_ADMINS]
    #[arg(long, value_name = "JIDS")]
    pub admins: Option<String>,
    /// STARTTLS listeners as address:port, separated by commas; empty: off [env: MAGPIE_C2S_LISTEN]
    #[arg(long, value_name = "ADDRESSES")]
    pub c2s_listen: Option<String>,
    /// Direct TLS listeners as address:port, separated by commas; empty: off [env: MAGPIE_C2S_TLS_LISTEN]
    #[arg(long, value_name = "ADDRESSES")]
    pub c2s_tls_listen: Option<String>,
    /// HTTP listeners in the clear as address:port, separated by commas; empty: off [env: MAGPIE_HTTP_LISTEN]
    #[arg(long, value_name = "ADDRESSES")]
    pub http_listen: Option<String>,
    /// HTTPS listeners as address:port, separated by commas; empty: off [env: MAGPIE_HTTP_TLS_LISTEN]
    #[arg(long, value_name = "ADDRESSES")]
    pub http_tls_listen: Option<String>,
    /// How others reach the HTTP server when a reverse proxy stands in front [env: MAGPIE_PUBLIC_URL]
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Listeners for figures about this server, separated by commas [env: MAGPIE_METRICS_LISTEN]
    #[arg(long, value_name = "ADDRESSES")]
    pub metrics_listen: Option<String>,
    /// Who may make an account from a client: closed, invite or open [env: MAGPIE_REGISTRATION]
    #[arg(long, value_name = "MODE")]
    pub registration: Option<String>,
    /// For tests: passwords without TLS on loopback listeners [env: MAGPIE_ALLOW_PLAINTEXT_AUTH]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub allow_plaintext_auth: Option<String>,
    /// Log level, or a filter such as info,magpie::storage=debug [env: MAGPIE_LOG]
    #[arg(long, value_name = "LEVEL")]
    pub log: Option<String>,
    /// What a log line looks like: human or json [env: MAGPIE_LOG_FORMAT]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
}

impl Settings {
    /// Those that were given.
    pub(super) fn flags(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("--domain", &self.domain),
            ("--admins", &self.admins),
            ("--c2s-listen", &self.c2s_listen),
            ("--c2s-tls-listen", &self.c2s_tls_listen),
            ("--http-listen", &self.http_listen),
            ("--http-tls-listen", &self.http_tls_listen),
            ("--public-url", &self.public_url),
            ("--metrics-listen", &self.metrics_listen),
            ("--registration", &self.registration),
            ("--allow-plaintext-auth", &self.allow_plaintext_auth),
            ("--log", &self.log),
            ("--log-format", &self.log_format),
        ];
        all.into_iter().filter_map(|(flag, value)| Some((flag, value.clone()?))).collect()
    }
}
