//! The binary: finding it, running it, ending what was started, waiting for what it does.

use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

/// How long a condition may take to come true. Far above what is expected: it is for a machine that is busy.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The crates whose code is in the binary.
const CRATES: [&str; 7] = ["chain", "consensus", "p2p", "rpc", "rpc/client", "genesis", "node"];

/// Waits until `look` gives something.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {DEADLINE:?} for this: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Waits until `look` gives true.
pub(crate) fn wait_until(what: &str, mut look: impl FnMut() -> bool) {
    wait_for(what, || look().then_some(()));
}

/// The binary, of the target folder and profile of this test; built if it is missing or older than its code.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| std::env::var_os("QUORATE_PROGRAM").map_or_else(find_or_build, PathBuf::from))
}

fn find_or_build() -> PathBuf {
    // target/<profile>/deps/<test>
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let program = profile.join("quorate");
    let built = fs::metadata(&program).and_then(|metadata| metadata.modified()).ok();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let changed = CRATES.iter().filter_map(|name| newest(&workspace.join(name).join("src"))).max();
    if built < changed {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "quorate", "--target-dir"]);
        cargo.arg(profile.parent().unwrap()).current_dir(workspace);
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        let done = cargo.output().unwrap();
        assert!(done.status.success(), "cannot build quorate: {}", String::from_utf8_lossy(&done.stderr));
    }
    program
}

/// When something in the folder was last changed.
fn newest(folder: &Path) -> Option<SystemTime> {
    let times = fs::read_dir(folder).ok()?.filter_map(|entry| {
        let entry = entry.ok()?;
        let metadata = entry.metadata().ok()?;
        if metadata.is_dir() { newest(&entry.path()) } else { metadata.modified().ok() }
    });
    times.max()
}

/// The binary with nothing of this process's `QUORATE_…` environment.
pub(crate) fn command() -> Command {
    let mut command = Command::new(program());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("QUORATE_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Runs the binary until it ends by itself; one that does not is killed, and the test fails.
pub(crate) fn run<S: AsRef<OsStr>>(arguments: &[S]) -> Output {
    let mut command = command();
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let deadline = Instant::now() + DEADLINE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() >= deadline {
            child.kill().unwrap();
            let output = child.wait_with_output().unwrap();
            panic!("did not end: {:?}\n{}", command, text(&output));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    child.wait_with_output().unwrap()
}

/// Runs the binary, which must succeed; gives what it printed.
pub(crate) fn succeed<S: AsRef<OsStr>>(arguments: &[S]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs the binary, which must say why it fails; gives what it said.
pub(crate) fn fail<S: AsRef<OsStr>>(arguments: &[S]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    String::from_utf8(output.stderr).unwrap()
}

fn text(output: &Output) -> String {
    let Output { status, stdout, stderr } = output;
    format!("{status}\n{}\n{}", String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr))
}

/// Whether the process runs; one that nobody has waited for does not.
pub(crate) fn is_alive(pid: u32) -> bool {
    // The state stands behind the name, which is in brackets and may hold anything.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Sends a signal to a node's process, if that still is one with this home.
pub(crate) fn signal_node(pid: u32, home: &Path, signal: Signal) {
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let home = home.as_os_str().as_encoded_bytes();
    if arguments.split(|byte| *byte == 0).any(|argument| argument == home) {
        send(pid, signal);
    }
}

/// Sends a signal to a process of ours, unless it has ended already.
pub(crate) fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let _ = kill_process(pid, signal);
}
