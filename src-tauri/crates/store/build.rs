//! Recompiles the crate when a migration is added: the macro embeds the folder.
fn main() {
    println!("cargo::rerun-if-changed=../../../migrations");
}
