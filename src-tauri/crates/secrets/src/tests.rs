mod credentials;
mod keychain;
mod redaction;
