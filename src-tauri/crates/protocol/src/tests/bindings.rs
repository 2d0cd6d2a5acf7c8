//! `ui/src/ipc/bindings.ts` says what the list of endpoints and its documents say.

use std::fmt::Write as _;
use std::path::Path;

use specta::Types;
use specta_typescript::Typescript;

use crate::Tag;
use crate::events::{Delta, EventFrame, Hello};

const HEADER: &str = "// Made from the protocol's list of endpoints by its tests. Never edited by hand:\n\
                      // LONGHAUL_BLESS=1 cargo test -p longhaul-protocol bindings\n";

/// Registers every document and notes every endpoint.
macro_rules! describe {
    ($($name:ident: $request:ident => $response:ident, provides [$($p:ident),*], invalidates [$($i:ident),*];)*) => {
        fn describe(types: &mut Types, endpoints: &mut String, tags: &mut String) {
            $(
                types.register_mut::<crate::$request>();
                types.register_mut::<crate::$response>();
                let _ = writeln!(endpoints, "  {}: {{ request: {}; response: {} }};",
                    stringify!($name), stringify!($request), stringify!($response));
                let _ = writeln!(tags, "  {}: {{ provides: {}, invalidates: {} }},",
                    stringify!($name), words(&[$(Tag::$p),*]), words(&[$(Tag::$i),*]));
            )*
        }
    };
}
crate::endpoints!(describe);

fn words(tags: &[Tag]) -> String {
    serde_json::to_string(tags).expect("tags are words")
}

fn bindings() -> String {
    let mut types = Types::default()
        .register::<Tag>()
        .register::<crate::ErrorBody>()
        .register::<Hello>()
        .register::<EventFrame>()
        .register::<Delta>();
    let (mut endpoints, mut tags) = (String::new(), String::new());
    describe(&mut types, &mut endpoints, &mut tags);
    let types = Typescript::new()
        .header(HEADER)
        .export(&types, specta_serde::Format)
        .expect("every document has a TypeScript type");
    format!(
        "{types}\n\
         /** Every call: `POST /v1/<name>` with the request, answered by the response. */\n\
         export interface Endpoints {{\n{endpoints}}}\n\n\
         /** What a cached answer is about, and what a call makes stale. */\n\
         export const tags: {{ readonly [name in keyof Endpoints]: {{ readonly provides: readonly Tag[]; readonly invalidates: readonly Tag[] }} }} = {{\n{tags}}};\n\n\
         /** The protocol's version. */\n\
         export const PROTOCOL = {};\n",
        crate::PROTOCOL
    )
}

#[test]
fn the_bindings_are_those_of_the_list() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../ui/src/ipc/bindings.ts");
    let wanted = bindings();
    if std::env::var_os("LONGHAUL_BLESS").is_some() {
        std::fs::create_dir_all(file.parent().expect("it is in a folder")).expect("ui is writable");
        std::fs::write(&file, &wanted).expect("ui is writable");
    }
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        there == wanted,
        "ui/src/ipc/bindings.ts is not what the endpoints say; run \
         LONGHAUL_BLESS=1 cargo test -p longhaul-protocol bindings"
    );
}
