//! Statements that are executed together. A statement by itself costs a round trip to
//! the connection's own thread, which is several times what it takes to execute; an
//! append is a dozen statements and none needs to know what another said.

use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, Encode, Sqlite, SqliteConnection, Type};

/// Statements in one round trip, about. What is executed is remembered by its whole
/// text, and longer texts would hardly ever be the same.
const TOGETHER: usize = 16;

/// The row of a content whose name is bound with [`Statement::bind_blob`].
macro_rules! blob_id {
    () => {
        "(SELECT id FROM blob WHERE substr(hash, 1, 8) = ? AND hash = ?)"
    };
}
pub(crate) use blob_id;

/// Statements with their arguments, in order. A statement's parameters are all `?`.
#[derive(Default)]
pub(crate) struct Script {
    parts: Vec<Part>,
    failure: Option<sqlx::Error>,
}

#[derive(Default)]
struct Part {
    sql: String,
    arguments: SqliteArguments,
    statements: usize,
}

/// A statement that was added, for its parameters.
pub(crate) struct Statement<'a> {
    script: &'a mut Script,
}

impl Script {
    /// Adds a statement. Its parameters are bound next, in their order.
    pub(crate) fn add(&mut self, sql: &'static str) -> Statement<'_> {
        if self.parts.last().is_none_or(|p| p.statements >= TOGETHER) {
            self.parts.push(Part::default());
        }
        let part = self.parts.last_mut().expect("there is one by now");
        part.statements += 1;
        if !part.sql.is_empty() {
            part.sql.push_str(";\n");
        }
        part.sql.push_str(sql);
        Statement { script: self }
    }

    /// Executes them all, up to the first that fails.
    pub(crate) async fn run(self, conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        for part in self.parts {
            // Put together from texts in this program's sources; what users say is bound.
            sqlx::query_with(AssertSqlSafe(part.sql), part.arguments)
                .execute(&mut *conn)
                .await?;
        }
        Ok(())
    }
}

impl Statement<'_> {
    /// Gives the next parameter its value.
    pub(crate) fn bind<'t, T: Encode<'t, Sqlite> + Type<Sqlite>>(self, value: T) -> Self {
        if let Some(part) = self.script.parts.last_mut()
            && let Err(error) = part.arguments.add(value)
        {
            self.script
                .failure
                .get_or_insert(sqlx::Error::Encode(error));
        }
        self
    }

    /// Binds the name of a content, where the text has `blob_id!()` or asks in the same way.
    pub(crate) fn bind_blob(self, hash: Option<&[u8; 32]>) -> Self {
        self.bind(hash.map(|h| &h[..8])).bind(hash.map(|h| &h[..]))
    }

    /// Goes on with the statement's text.
    pub(crate) fn and(self, sql: &'static str) -> Self {
        if let Some(part) = self.script.parts.last_mut() {
            part.sql.push_str(sql);
        }
        self
    }
}
