mod credentials;
mod redaction;
