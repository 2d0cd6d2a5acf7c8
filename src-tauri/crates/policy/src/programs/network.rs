//! Programs that talk to other machines, and to what runs elsewhere.

use super::Look;
use crate::effect::{Effect, Found};
use crate::shell::Word;

/// Send, by their nature.
const SENDS: &[&str] = &[
    "nc",
    "ncat",
    "netcat",
    "socat",
    "telnet",
    "ftp",
    "sftp",
    "scp",
    "ssh",
    "mosh",
    "rclone",
    "s3cmd",
    "aws",
    "gcloud",
    "gsutil",
    "az",
    "doctl",
    "flyctl",
    "fly",
    "heroku",
    "vercel",
    "netlify",
    "wrangler",
    "firebase",
    "surge",
    "railway",
    "render",
    "eb",
    "serverless",
    "sls",
    "cdk",
    "pulumi",
    "terraform",
    "tofu",
    "terragrunt",
    "ansible",
    "ansible-playbook",
    "helm",
    "kubectl",
    "oc",
    "mail",
    "mailx",
    "sendmail",
    "mutt",
    "swaks",
    "twilio",
    "slack",
    "ngrok",
    "cloudflared",
    "tailscale",
    "wg",
    "openvpn",
    "psql",
    "mysql",
    "mongo",
    "mongosh",
    "redis-cli",
    "cqlsh",
    "sqlcmd",
    "clickhouse",
    "influx",
    "rsync",
    "websocat",
    "grpcurl",
    "openssl",
    "chromium",
    "google-chrome",
    "firefox",
    "lynx",
    "w3m",
    "links",
];

/// Ask.
const ASKS: &[&str] = &[
    "ping",
    "dig",
    "nslookup",
    "host",
    "whois",
    "traceroute",
    "mtr",
    "nmap",
];

impl Look<'_> {
    pub(super) fn network(&self, program: &str) -> Option<Vec<Found>> {
        Some(match program {
            "curl" | "wget" | "http" | "https" | "xh" | "aria2c" | "httpie" => self.fetch(program),
            "docker" | "podman" | "nerdctl" | "docker-compose" => self.containers(program),
            "sqlite3" => self.database(),
            "rsync"
                if !self.args().iter().any(|word| {
                    word.text.contains(':')
                        || word.text.starts_with("-e")
                        || word.text.starts_with("--rsh")
                }) =>
            {
                let mut words: Vec<&Word> = self.plain_args().collect();
                let target = words.pop();
                let mut found: Vec<Found> = words
                    .into_iter()
                    .filter_map(|word| self.read(word))
                    .collect();
                found.extend(target.and_then(|word| self.write(word)));
                if self.has(&["--delete", "--remove-source-files"]) {
                    found.push(self.found(Effect::DeleteBulk));
                }
                found
            }
            "openssl"
                if matches!(
                    self.sub(0),
                    "version" | "dgst" | "rand" | "x509" | "sha256" | "base64"
                ) =>
            {
                Vec::new()
            }
            "kubectl" | "oc"
                if matches!(
                    self.sub(0),
                    "get" | "describe" | "logs" | "explain" | "version" | "top"
                ) =>
            {
                match self.sub(1).starts_with("secret") {
                    true => vec![self.found(Effect::Secrets)],
                    false => vec![self.found(Effect::NetworkRead)],
                }
            }
            "terraform" | "tofu"
                if matches!(
                    self.sub(0),
                    "fmt" | "validate" | "version" | "graph" | "providers"
                ) =>
            {
                vec![self.found(Effect::Build)]
            }
            "helm" if matches!(self.sub(0), "lint" | "template" | "version") => {
                vec![self.found(Effect::Build)]
            }
            "aws" | "gcloud" | "az" if self.looks_only() => vec![self.found(Effect::NetworkRead)],
            _ if ASKS.contains(&program) => vec![self.found(Effect::NetworkRead)],
            _ if SENDS.contains(&program) => vec![self.found(Effect::NetworkWrite)],
            _ => return None,
        })
    }

    /// `aws s3 ls`, `gcloud … list`: they ask for nothing secret.
    fn looks_only(&self) -> bool {
        let plain: Vec<&str> = self.plain_args().map(|word| word.text.as_str()).collect();
        let secret = plain
            .iter()
            .any(|word| word.contains("secret") || word.contains("token") || word.contains("auth"));
        !secret
            && plain
                .iter()
                .any(|word| *word == "ls" || *word == "list" || word.starts_with("describe"))
    }

    fn fetch(&self, program: &str) -> Vec<Found> {
        if self.has(&["--version", "--help"]) {
            return Vec::new();
        }
        let with_value = [
            "-o",
            "-O",
            "-H",
            "-X",
            "-d",
            "-F",
            "-T",
            "-u",
            "-A",
            "-b",
            "-c",
            "-e",
            "-K",
            "-m",
            "-w",
            "-x",
            "-P",
            "--max-time",
            "--retry",
            "--output",
            "--header",
            "--request",
            "--data",
        ];
        let args = self.args();
        let is_value = |at: usize| {
            at > 0
                && with_value.contains(&args[at - 1].text.as_str())
                && !(program == "curl" && args[at - 1].text == "-O")
        };
        let targets: Vec<&Word> = args
            .iter()
            .enumerate()
            .filter(|(at, word)| !word.text.starts_with('-') && !is_value(*at))
            .map(|(_, word)| word)
            .collect();
        let mut found = Vec::new();
        if self.has(&["-K", "--config", "--netrc", "--netrc-file", "-n"]) {
            found.push(self.found(Effect::Secrets));
        }
        if let Some(file) = self.after(&["-o", "--output", "--output-document"]) {
            found.extend(self.write(&file));
        }
        if program == "wget" {
            if let Some(file) = self.after(&["-O"]) {
                found.extend(self.write(&file));
            }
            if self.has(&[
                "--post-data",
                "--post-file",
                "--method",
                "--body-data",
                "--body-file",
            ]) {
                found.push(self.found(Effect::NetworkWrite));
            }
        }
        let local = !targets.is_empty() && targets.iter().all(|word| is_local(word));
        let sends = [
            "-d",
            "-F",
            "-T",
            "--data",
            "--data-raw",
            "--data-binary",
            "--data-urlencode",
            "--form",
            "--upload-file",
            "--json",
            "-X",
            "--request",
        ];
        let method = self.after(&["-X", "--request"]);
        let harmless = method
            .as_ref()
            .is_some_and(|m| matches!(m.text.as_str(), "GET" | "HEAD" | "OPTIONS"));
        let body = [
            "-d",
            "-F",
            "-T",
            "--data",
            "--data-raw",
            "--data-binary",
            "--data-urlencode",
            "--form",
            "--upload-file",
            "--json",
        ];
        let writes = self.has(&body)
            || (self.has(&sends) && !harmless)
            || matches!(self.sub(0), "POST" | "PUT" | "PATCH" | "DELETE");
        // What of its own files goes along: `-d @.env`, `-T file`.
        for word in args.iter().filter(|word| word.text.contains('@')) {
            let path = word.text.rsplit('@').next().unwrap_or_default();
            let file = Word {
                text: path.to_owned(),
                ..word.clone()
            };
            found.extend(
                self.read(&file)
                    .filter(|found| found.effect == Effect::Secrets),
            );
        }
        let unknown = targets.iter().any(|word| !word.known);
        match (local, writes || unknown) {
            (true, _) => {}
            (false, true) => found.push(self.found(Effect::NetworkWrite)),
            (false, false) => found.push(self.found(Effect::NetworkRead)),
        }
        found
    }

    fn containers(&self, program: &str) -> Vec<Found> {
        let at = usize::from(program != "docker-compose" && self.sub(0) == "compose");
        let sub = self.sub(at);
        vec![self.found(match sub {
            "ps" | "images" | "logs" | "version" | "info" | "top" | "stats" | "port" | "diff"
            | "history" | "config" | "ls" => return Vec::new(),
            "inspect" => Effect::Read,
            "build" => Effect::Build,
            "push" | "login" | "logout" => Effect::Publish,
            "pull" => Effect::InstallNew,
            // A container may be given the whole machine.
            _ => Effect::Outside,
        })]
    }

    fn database(&self) -> Vec<Found> {
        let mut plain = self.plain_args();
        let file = plain.next();
        let text: Vec<&str> = plain.map(|word| word.text.as_str()).collect();
        let text = text.join(" ").to_ascii_lowercase();
        let acts = [
            ".shell",
            ".system",
            ".import",
            ".output",
            ".once",
            ".load",
            "readfile",
            "writefile",
            "edit(",
            "load_extension",
            ".open",
            ".excel",
        ];
        if acts.iter().any(|word| text.contains(word)) || self.fed() {
            return vec![self.found(Effect::Code)];
        }
        let changes = [
            "insert", "update", "delete", "drop", "alter", "create", "replace", "vacuum", "attach",
            "pragma",
        ];
        match changes.iter().any(|word| text.contains(word)) {
            true => vec![self.found(Effect::Migrate)],
            false => file.and_then(|file| self.read(file)).into_iter().collect(),
        }
    }
}

/// This machine itself.
fn is_local(word: &Word) -> bool {
    let text = word
        .text
        .strip_prefix("http://")
        .or_else(|| word.text.strip_prefix("https://"))
        .unwrap_or(&word.text);
    let host = text.split(['/', '?', '#']).next().unwrap_or_default();
    // `http://localhost@elsewhere/` is elsewhere.
    if host.contains('@') || host.contains('…') {
        return false;
    }
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    matches!(name, "localhost" | "127.0.0.1" | "::1" | "0.0.0.0")
        || (host.starts_with(':') && host.len() > 1)
}
