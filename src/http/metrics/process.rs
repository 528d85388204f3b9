//! The process and its certificates.

use super::page::Page;
use crate::http::Web;
use std::fs;

pub(super) fn write(page: &mut Page, web: &Web) {
    page.gauge("magpie_info", "The version that runs.").with("version", env!("CARGO_PKG_VERSION"), 1u64);
    page.gauge("magpie_start_time_seconds", "When the server started, in seconds since 1970.")
        .is(web.core.started_us / 1_000_000);
    if let Some(bytes) = resident_bytes() {
        page.gauge("process_resident_memory_bytes", "Resident memory.").is(bytes);
    }
    page.counter("process_cpu_seconds_total", "Processor time, user and system.").is(cpu_seconds());
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        page.gauge("process_open_fds", "Open files and sockets.").is(files.count());
    }
    let mut certificates =
        page.gauge("magpie_certificate_end_seconds", "When a certificate ends, in seconds since 1970.");
    for entry in web.certs.entries() {
        let file = entry.chain_path().display().to_string();
        certificates = certificates.with("file", &file, entry.not_after().as_second());
    }
}

/// `VmRSS` of proc(5).
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// All threads together.
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
