//! `magpie chat install`: the web client, from its npm package into its directory. npm fetches, tar and gzip unpack; what
//! comes of it is checked against a digest that is written here before anything is done with it.

use super::{Exit, command};
use crate::admin::protocol::{Failure, FailureKind};
use crate::config::{self, Config};
use crate::web_client::{SCRIPT, WebClient};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use serde_json::json;
use sha2::{Digest, Sha512};
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version that is known to work here.
const VERSION: &str = "14.0.0";
/// SHA-512 of that package, as npm writes it.
const DIGEST: &str = "LFUg030jDalV47vI/vyVPqYPZfJYXFbubq8v0cFDe2zXNeeGEk3Up0Fj/WTzT6t+6do+cAIToy73eAj7RNDj2Q==";
/// What npm calls the file of that package.
const PACKAGE: &str = "converse.js-14.0.0.tgz";

/// Files with these endings are compressed once, here.
const COMPRESSIBLE: [&str; 5] = ["css", "js", "json", "svg", "wasm"];
/// Smaller ones are not worth it.
const COMPRESSIBLE_BYTES_MIN: u64 = 1_024;

/// `magpie chat …`
#[derive(Debug, Subcommand)]
pub enum Chat {
    /// Put Converse.js, the web client at /chat, into its directory
    ///
    /// Fetches its npm package once with `npm pack`, or takes it as a file; what is there is replaced. Converse.js is under
    /// the MPL 2.0; libomemo.js, which comes with it, under the GPL 3.0.
    Install {
        /// The package, where there is no npm: what `npm pack converse.js@14.0.0` makes elsewhere, converse.js-14.0.0.tgz
        file: Option<PathBuf>,
    },
}

pub(super) fn run(
    args: &Chat,
    config: &Config,
    is_running: bool,
    as_json: bool,
    out: &mut impl Write,
    err: &mut impl Write,
) -> io::Result<Exit> {
    let Chat::Install { file } = args;
    let files = match install(file.as_deref(), &config.chat) {
        Ok(files) => files,
        Err(failure) => return command::fail(&failure, as_json, out, err),
    };
    let directory = config.chat.directory.display();
    if as_json {
        let installed = json!({ "version": VERSION, "directory": config.chat.directory, "files": files });
        writeln!(out, "{:#}", json!({ "installed": installed }))?;
    } else {
        writeln!(out, "Converse.js {VERSION} is in {directory} ({files} files)")?;
        let next = match (config.chat.enabled, is_running) {
            (false, _) => "it is turned off: chat.enabled",
            (true, true) => "`magpie reload` makes the running server serve it at /chat",
            (true, false) => "the server will serve it at /chat",
        };
        writeln!(out, "{next}")?;
    }
    Ok(Exit::Done)
}

fn failed(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Failed, message)
}

fn at(path: &Path) -> impl Fn(io::Error) -> Failure {
    move |error| failed(format!("{}: {error}", path.display()))
}

/// Everything happens beside the directory, and takes its place at the end.
fn install(file: Option<&Path>, settings: &config::Chat) -> Result<usize, Failure> {
    let directory = &settings.directory;
    may_be_replaced(directory)?;
    let beside = |ending: &str| {
        let mut name = directory.file_name().unwrap_or(OsStr::new("chat")).to_owned();
        name.push(ending);
        directory.with_file_name(name)
    };
    let (new, old) = (beside(".new"), beside(".old"));
    clear(&new)?;
    clear(&old)?;
    DirBuilder::new().recursive(true).mode(0o700).create(&new).map_err(at(&new))?;
    let done = unpack(file, &new, settings).and_then(|(dist, files)| {
        let moved = |from: &Path, to: &Path| fs::rename(from, to).map_err(at(to));
        if directory.exists() {
            moved(directory, &old)?;
        }
        moved(&dist, directory)?;
        Ok(files)
    });
    let cleared = clear(&new).and(clear(&old));
    done.and_then(|files| cleared.map(|()| files))
}

/// Nothing, an empty directory, or a web client; all else somebody named by mistake.
fn may_be_replaced(directory: &Path) -> Result<(), Failure> {
    let mut entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(at(directory)(error)),
    };
    if entries.next().is_none() || directory.join(SCRIPT).is_file() {
        return Ok(());
    }
    let message = format!("{} holds something else\n  name another directory (chat.directory)", directory.display());
    Err(Failure::new(FailureKind::Exists, message))
}

fn clear(directory: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(at(directory)(error)),
        _ => Ok(()),
    }
}

/// The package, unpacked and looked through: where it is, and how many files it has.
fn unpack(file: Option<&Path>, work: &Path, settings: &config::Chat) -> Result<(PathBuf, usize), Failure> {
    let package = match file {
        Some(file) => file.to_owned(),
        None => fetch(work)?,
    };
    verify(&package, DIGEST)?;
    let dist = extract(&package, work)?;
    compress(&dist)?;
    let found = WebClient::find(&config::Chat { enabled: true, directory: dist.clone(), ..settings.clone() });
    let files = found.map_err(|error| failed(error.to_string()))?.map_or(0, |client| client.len());
    Ok((dist, files))
}

fn fetch(work: &Path) -> Result<PathBuf, Failure> {
    let package = format!("converse.js@{VERSION}");
    let arguments =
        [OsStr::new("pack"), OsStr::new(&package), OsStr::new("--silent"), OsStr::new("--pack-destination")];
    // Where it runs may have settings of a project.
    let mut npm = Command::new("npm");
    npm.args(arguments).arg(std::path::absolute(work).map_err(at(work))?).current_dir(work);
    let without = || {
        format!(
            "npm is not installed\n  `npm pack {package}` on another machine, then `magpie chat install {PACKAGE}` here"
        )
    };
    call(npm, without)?;
    Ok(work.join(PACKAGE))
}

fn verify(package: &Path, digest: &str) -> Result<(), Failure> {
    let mut hash = Sha512::new();
    io::copy(&mut File::open(package).map_err(at(package))?, &mut hash).map_err(at(package))?;
    if STANDARD.encode(hash.finalize()) == digest {
        return Ok(());
    }
    Err(failed(format!("{} is not the package converse.js {VERSION} ({PACKAGE}), or damaged", package.display())))
}

/// What `dist` has, without source maps, with the licence beside it.
fn extract(package: &Path, work: &Path) -> Result<PathBuf, Failure> {
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(package).arg("-C").arg(work).args(["--exclude=*.map", "package/dist", "package/LICENSE"]);
    call(tar, || "tar is not installed".to_owned())?;
    let (top, dist) = (work.join("package"), work.join("package/dist"));
    let licence = dist.join("LICENSE");
    fs::rename(top.join("LICENSE"), &licence).map_err(at(&licence))?;
    Ok(dist)
}

fn compress(dist: &Path) -> Result<(), Failure> {
    let mut gzip = Command::new("gzip");
    gzip.args(["-9", "-n", "-k", "-f"]);
    let mut folders = vec![dist.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(at(&folder))? {
            let path = entry.map_err(at(&folder))?.path();
            let is_compressible = path.extension().is_some_and(|e| COMPRESSIBLE.iter().any(|known| e == *known));
            if path.is_dir() {
                folders.push(path);
            } else if is_compressible && path.metadata().map_err(at(&path))?.len() >= COMPRESSIBLE_BYTES_MIN {
                gzip.arg(path);
            }
        }
    }
    call(gzip, || "gzip is not installed".to_owned())
}

/// Runs a program to its end; what it says is for the failure.
fn call(mut command: Command, without: impl Fn() -> String) -> Result<(), Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let done = match command.output() {
        Ok(done) => done,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(failed(without())),
        Err(error) => return Err(failed(format!("{name}: {error}"))),
    };
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(failed(format!("{name} failed ({}): {}", done.status, said.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(work: &Path) -> PathBuf {
        let dist = work.join("package/dist");
        fs::create_dir_all(dist.join("images")).unwrap();
        let long = "x".repeat(2_000);
        for (name, text) in [
            (SCRIPT, &*long),
            ("converse.min.css", "b{}"),
            ("converse.min.js.map", "{}"),
            ("images/a.png", &*long),
            ("../LICENSE", "be nice"),
            ("../README.md", "no need"),
        ] {
            fs::write(dist.join(name), text).unwrap();
        }
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(work).arg("-czf").arg(work.join("p.tgz")).arg("package");
        call(tar, || "tar".into()).unwrap();
        work.join("p.tgz")
    }

    #[test]
    fn a_package_becomes_what_is_served() {
        let (made, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let package = package(made.path());
        let dist = extract(&package, work.path()).unwrap();
        compress(&dist).unwrap();
        let mut names: Vec<_> =
            fs::read_dir(&dist).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names, ["LICENSE", "converse.min.css", SCRIPT, "converse.min.js.gz", "images"]);
        assert!(!dist.join("images/a.png.gz").exists());
        let settings = config::Chat { directory: dist, ..config::Chat::default() };
        assert_eq!(WebClient::find(&settings).unwrap().unwrap().len(), 3);
    }

    #[test]
    fn another_package_is_refused_and_nothing_is_left() {
        let home = tempfile::tempdir().unwrap();
        let package = package(home.path());
        let settings = config::Chat { directory: home.path().join("data/chat"), ..config::Chat::default() };
        let failure = install(Some(&package), &settings).unwrap_err();
        assert!(failure.message.contains("is not the package converse.js 14.0.0"), "{}", failure.message);
        assert_eq!(fs::read_dir(home.path().join("data")).unwrap().count(), 0);
        let failure = install(Some(Path::new("/nowhere.tgz")), &settings).unwrap_err();
        assert!(failure.message.starts_with("/nowhere.tgz: "), "{}", failure.message);
    }

    #[test]
    fn what_is_no_web_client_stays_as_it_is() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("diary.txt"), "dear").unwrap();
        let settings = config::Chat { directory: home.path().to_owned(), ..config::Chat::default() };
        let failure = install(None, &settings).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Exists);
        assert!(home.path().join("diary.txt").exists());
        // An empty one, or what was there before, may be replaced.
        fs::remove_file(home.path().join("diary.txt")).unwrap();
        assert!(may_be_replaced(home.path()).is_ok());
        fs::write(home.path().join(SCRIPT), "").unwrap();
        assert!(may_be_replaced(home.path()).is_ok());
        assert!(may_be_replaced(&home.path().join("not/there")).is_ok());
    }

    #[test]
    fn the_url_and_the_help_name_the_version() {
        assert_eq!(PACKAGE, format!("converse.js-{VERSION}.tgz"));
        assert_eq!(STANDARD.decode(DIGEST).unwrap().len(), 64);
    }
}
