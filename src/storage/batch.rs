//! What one transaction of the writer does.
//!
//! Runs of the same hot operation become multi-row statements; runs are executed in the order of the queue, so an
//! insert and a later delete of the same account keep their order; only the archive, which none of these look at, goes
//! first. Everything else is a [`Task`] of its own.

use std::{collections::HashMap, pin::Pin, sync::LazyLock};

use sqlx::{Arguments as _, SqliteConnection, sqlite::SqliteArguments};

use crate::journal::Effect;

use super::{
    AccountId, Error,
    archive::ArchiveRow,
    archive_owner::ArchiveShelf,
    archive_places::Places,
    archive_sql,
    commit::{Answer, Completion},
    keys_version::KeysChange,
    offline::OfflineRow,
    rooms::set_subject,
    sqlite,
};

/// Memory an operation costs beside its payload, for the limit of the queue.
const OP_OVERHEAD_BYTES: usize = 256;

/// Something for the writer.
pub(super) enum Op {
    /// Archive a message.
    Archive(ArchiveRow, Completion),
    /// Keep an offline message.
    Store(OfflineRow, Completion),
    /// Remove the offline messages of an account up to one.
    Delete(Delete, Answer<()>),
    /// Remember when, and with which words, a user left.
    Logout(Logout, Answer<()>),
    /// Anything rarer.
    Task(Box<dyn Task>),
    /// Look at what was handed out.
    Wake,
    /// Answered when everything before it is.
    Barrier(Answer<()>),
    /// The last one.
    Close(Answer<()>),
}

/// All offline messages of an account up to an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delete {
    pub(super) account: AccountId,
    pub(super) upto_id: i64,
}

pub(super) struct Logout {
    pub(super) account: AccountId,
    pub(super) at_us: i64,
    pub(super) status: Option<String>,
}

impl Op {
    pub(super) fn bytes(&self) -> usize {
        OP_OVERHEAD_BYTES
            + match self {
                Self::Archive(row, _) => row.bytes(),
                Self::Store(row, _) => row.stanza.len(),
                Self::Logout(logout, _) => logout.status.as_ref().map_or(0, String::len),
                Self::Task(task) => task.bytes(),
                Self::Delete(..) | Self::Wake | Self::Barrier(_) | Self::Close(_) => 0,
            }
    }

    /// Deletions are owed for what a client already has; barriers and the end are how callers get out of trouble.
    pub(super) fn may_be_refused(&self) -> bool {
        matches!(self, Self::Archive(..) | Self::Store(..) | Self::Logout(..) | Self::Task(_))
    }

    /// Whether there is nothing to write.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self, Self::Wake | Self::Barrier(_) | Self::Close(_))
    }

    pub(super) fn as_delete(&self) -> Option<Delete> {
        if let Self::Delete(delete, _) = self { Some(*delete) } else { None }
    }

    /// What the session journal is to know about it.
    pub(super) fn effect(&self) -> Option<Effect> {
        match self {
            Self::Archive(_, done) | Self::Store(_, done) => done.effect(),
            _ => None,
        }
    }

    fn as_archive(&self) -> Option<&ArchiveRow> {
        if let Self::Archive(row, _) = self { Some(row) } else { None }
    }

    fn as_store(&self) -> Option<&OfflineRow> {
        if let Self::Store(row, _) = self { Some(row) } else { None }
    }

    fn as_logout(&self) -> Option<&Logout> {
        if let Self::Logout(logout, _) = self { Some(logout) } else { None }
    }

    pub(super) fn finish(self, result: Result<(), Error>) {
        match self {
            Self::Archive(_, done) | Self::Store(_, done) => done.finish(result),
            Self::Task(task) => task.finish(result),
            Self::Wake => {}
            // Whoever asked may no longer listen.
            Self::Delete(_, answer) | Self::Logout(_, answer) | Self::Barrier(answer) | Self::Close(answer) => {
                drop(answer.send(result))
            }
        }
    }

    fn same_kind(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

pub(super) type BoxFuture<'c, T> = Pin<Box<dyn Future<Output = T> + Send + 'c>>;

/// A rare operation: some statements that succeed or fail together, and alone.
pub(super) trait Task: Send {
    fn bytes(&self) -> usize;
    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, Result<(), Error>>;
    fn finish(self: Box<Self>, result: Result<(), Error>);
}

/// A [`Task`] made of an asynchronous closure.
pub(super) struct Work<T, F> {
    work: Option<F>,
    value: Option<T>,
    answer: Answer<T>,
    bytes: usize,
    changing: Option<KeysChange>,
}

impl<T, F> Work<T, F> {
    pub(super) fn new(bytes: usize, work: F, answer: Answer<T>) -> Self {
        Self { work: Some(work), value: None, answer, bytes, changing: None }
    }

    /// Changes keys: that is over before the answer is given.
    pub(super) fn changing(mut self, change: KeysChange) -> Self {
        self.changing = Some(change);
        self
    }
}

impl<T, F> Task for Work<T, F>
where
    T: Send,
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, Error>> + Send,
{
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, Result<(), Error>> {
        Box::pin(async move {
            let work = self.work.take().expect("a task is run once");
            self.value = Some(work(connection).await?);
            Ok(())
        })
    }

    fn finish(self: Box<Self>, result: Result<(), Error>) {
        let Self { value, answer, changing, .. } = *self;
        drop(changing);
        let outcome = result.and_then(|()| value.ok_or(Error::Closed));
        drop(answer.send(outcome));
    }
}

/// Executes `ops`. An error of one alone goes to its place in `results`; any other is returned, and means that the
/// transaction must not be committed.
///
/// In order, except that messages for the archive come before what queued among them: nothing but a task looks at both,
/// and one statement for many is what makes them cheap.
pub(super) async fn apply(
    connection: &mut SqliteConnection,
    places: &mut Places,
    mut ops: &mut [Op],
    mut results: &mut [Result<(), Error>],
) -> Result<(), Error> {
    while !ops.is_empty() {
        let tasks_first = ops.iter().take_while(|op| matches!(op, Op::Task(_))).count();
        let length = match tasks_first {
            0 => ops.iter().take_while(|op| !matches!(op, Op::Task(_))).count(),
            length => length,
        };
        let (run, ops_left) = ops.split_at_mut(length);
        let (run_results, results_left) = results.split_at_mut(length);
        if tasks_first > 0 {
            tasks(connection, run, run_results).await?;
        } else {
            archive_messages(connection, places, run, run_results).await?;
            hot(connection, run, run_results).await?;
        }
        (ops, results) = (ops_left, results_left);
    }
    Ok(())
}

async fn archive_messages(
    connection: &mut SqliteConnection,
    places: &mut Places,
    ops: &mut [Op],
    results: &mut [Result<(), Error>],
) -> Result<(), Error> {
    let (rows, indexes): (Vec<_>, Vec<_>) =
        ops.iter().enumerate().filter_map(|(index, op)| Some((op.as_archive()?, index))).unzip();
    if rows.is_empty() {
        return Ok(());
    }
    let placed = places.place(connection, &rows).await?;
    for (index, row) in indexes.into_iter().zip(&placed) {
        if row.is_none() {
            results[index] = Err(Error::NotFound);
        }
    }
    for shelf in ArchiveShelf::ALL {
        let placed: Vec<_> = placed.iter().flatten().filter(|row| row.shelf() == shelf).collect();
        let mut left = &placed[..];
        while !left.is_empty() {
            let size = sqlite::fitting(left.len());
            let (chunk, rest) = left.split_at(sqlite::ROWS[size]);
            // None of these can fail alone.
            insert_rows(connection, archive_sql::INSERT[size].on(shelf), chunk).await?;
            left = rest;
        }
    }
    for (row, placed) in rows.iter().zip(&placed) {
        if let (Some(subject), Some(_)) = (&row.subject, placed) {
            set_subject(connection, row.owner.key(), Some(&subject.0), Some(subject.1)).await?;
        }
    }
    Ok(())
}

/// Runs of the same kind, archived messages left out.
async fn hot(
    connection: &mut SqliteConnection,
    ops: &mut [Op],
    results: &mut [Result<(), Error>],
) -> Result<(), Error> {
    let places: Vec<usize> = (0..ops.len()).filter(|&place| ops[place].as_archive().is_none()).collect();
    let runs: Vec<&[usize]> = places.chunk_by(|&a, &b| ops[a].same_kind(&ops[b])).collect();
    for run in runs {
        let run_ops = run.iter().map(|&place| &ops[place]);
        match &ops[run[0]] {
            Op::Store(..) => {
                let rows: Vec<_> = run_ops.filter_map(Op::as_store).collect();
                let mut outcomes = vec![Ok(()); rows.len()];
                insert(connection, &STORE, &rows, &mut outcomes).await?;
                for (&place, outcome) in run.iter().zip(outcomes) {
                    results[place] = outcome;
                }
            }
            Op::Delete(..) => {
                let deletes: Vec<_> = run_ops.filter_map(Op::as_delete).collect();
                delete(connection, &deletes).await?;
            }
            Op::Logout(..) => {
                let logouts: Vec<_> = run_ops.filter_map(Op::as_logout).collect();
                logout(connection, &logouts).await?;
            }
            Op::Archive(..) | Op::Task(_) | Op::Wake | Op::Barrier(_) | Op::Close(_) => {}
        }
    }
    Ok(())
}

/// A row of a hot table.
pub(super) trait HotRow {
    const COLUMNS: usize;
    fn bind(&self, values: &mut Values) -> Result<(), Error>;
}

impl HotRow for OfflineRow {
    const COLUMNS: usize = 5;

    fn bind(&self, values: &mut Values) -> Result<(), Error> {
        values.add(self.account.0)?;
        values.add(self.stamp_us)?;
        values.add(self.expires_us)?;
        values.add(self.stanza.len() as i64)?;
        values.add(std::sync::Arc::clone(&self.stanza))
    }
}

/// Keeps offline messages.
static STORE: LazyLock<[String; 4]> = LazyLock::new(|| {
    sqlite::many_rows("INSERT INTO offline (account_id, stamp_us, expires_us, bytes, stanza) VALUES", 5, "")
});

async fn insert<R: HotRow>(
    connection: &mut SqliteConnection,
    statements: &'static [String; 4],
    mut rows: &[&R],
    mut results: &mut [Result<(), Error>],
) -> Result<(), Error> {
    while !rows.is_empty() {
        let size = sqlite::fitting(rows.len());
        let (chunk, rows_left) = rows.split_at(sqlite::ROWS[size]);
        let (row_results, results_left) = results.split_at_mut(sqlite::ROWS[size]);
        match insert_rows(connection, &statements[size], chunk).await {
            Ok(()) => {}
            Err(error) if !error.fails_alone() => return Err(error),
            Err(error) if chunk.len() == 1 => row_results[0] = Err(error),
            // Some account is gone. The statement did nothing; row by row the innocent get through.
            Err(_) => {
                let one = &statements[sqlite::ROWS.len() - 1];
                for (row, result) in chunk.iter().zip(row_results) {
                    *result = insert_rows(connection, one, std::slice::from_ref(row)).await;
                    if let Err(error) = result
                        && !error.fails_alone()
                    {
                        return Err(error.clone());
                    }
                }
            }
        }
        (rows, results) = (rows_left, results_left);
    }
    Ok(())
}

async fn insert_rows<R: HotRow>(
    connection: &mut SqliteConnection,
    sql: &'static str,
    rows: &[&R],
) -> Result<(), Error> {
    let mut values = Values::new(rows.len() * R::COLUMNS);
    for row in rows {
        row.bind(&mut values)?;
    }
    values.execute(connection, sql).await
}

static DELETE: LazyLock<[String; 4]> = LazyLock::new(|| {
    sqlite::many_rows(
        "WITH upto (account_id, id) AS (VALUES",
        2,
        ") DELETE FROM offline WHERE id IN (SELECT o.id FROM upto AS u JOIN offline AS o
           ON o.account_id = u.account_id AND o.id <= u.id)",
    )
});

/// Removes what was delivered; per account only the furthest id matters.
pub(super) async fn delete(connection: &mut SqliteConnection, deletes: &[Delete]) -> Result<(), Error> {
    let mut furthest: HashMap<AccountId, i64> = HashMap::with_capacity(deletes.len());
    for delete in deletes {
        let upto = furthest.entry(delete.account).or_insert(delete.upto_id);
        *upto = delete.upto_id.max(*upto);
    }
    let merged: Vec<_> = furthest.into_iter().collect();
    let mut left = &merged[..];
    while !left.is_empty() {
        let size = sqlite::fitting(left.len());
        let (rows, rest) = left.split_at(sqlite::ROWS[size]);
        let mut values = Values::new(rows.len() * 2);
        for (account, upto_id) in rows {
            values.add(account.0)?;
            values.add(*upto_id)?;
        }
        values.execute(connection, &DELETE[size]).await?;
        left = rest;
    }
    Ok(())
}

static LOGOUT: LazyLock<[String; 4]> = LazyLock::new(|| {
    sqlite::many_rows(
        "WITH seen (id, at_us, status) AS (VALUES",
        3,
        ") UPDATE accounts SET last_logout_us = seen.at_us, last_status = seen.status
           FROM seen WHERE accounts.id = seen.id",
    )
});

/// The last word of each account counts; for an account just deleted there is nothing to remember.
async fn logout(connection: &mut SqliteConnection, logouts: &[&Logout]) -> Result<(), Error> {
    let last: HashMap<AccountId, &Logout> = logouts.iter().map(|logout| (logout.account, *logout)).collect();
    let merged: Vec<_> = last.into_values().collect();
    let mut left = &merged[..];
    while !left.is_empty() {
        let size = sqlite::fitting(left.len());
        let (rows, rest) = left.split_at(sqlite::ROWS[size]);
        let mut values = Values::new(rows.len() * 3);
        for logout in rows {
            values.add(logout.account.0)?;
            values.add(logout.at_us)?;
            values.add(logout.status.as_deref())?;
        }
        values.execute(connection, &LOGOUT[size]).await?;
        left = rest;
    }
    Ok(())
}

async fn tasks(
    connection: &mut SqliteConnection,
    run: &mut [Op],
    results: &mut [Result<(), Error>],
) -> Result<(), Error> {
    for (op, result) in run.iter_mut().zip(results) {
        let Op::Task(task) = op else { continue };
        sqlx::query("SAVEPOINT task").execute(&mut *connection).await?;
        *result = task.run(connection).await;
        match result {
            Ok(()) => {}
            Err(error) if error.fails_alone() => {
                sqlx::query("ROLLBACK TO task").execute(&mut *connection).await?;
            }
            Err(error) => return Err(error.clone()),
        }
        sqlx::query("RELEASE task").execute(&mut *connection).await?;
    }
    Ok(())
}

/// The parameters of a multi-row statement.
pub(super) struct Values(SqliteArguments);

impl Values {
    fn new(count: usize) -> Self {
        let mut arguments = SqliteArguments::default();
        arguments.reserve(count, 0);
        Self(arguments)
    }

    pub(super) fn add<'t, T>(&mut self, value: T) -> Result<(), Error>
    where
        T: sqlx::Encode<'t, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        self.0.add(value).map_err(|error| sqlx::Error::Encode(error).into())
    }

    async fn execute(self, connection: &mut SqliteConnection, sql: &'static str) -> Result<(), Error> {
        sqlx::query_with(sql, self.0).execute(connection).await?;
        Ok(())
    }
}

/// Every statement of this file, for the test that prepares them all.
#[cfg(test)]
pub(super) fn statements() -> Vec<&'static str> {
    STORE.iter().chain(DELETE.iter()).chain(LOGOUT.iter()).map(String::as_str).collect()
}
