//! The local time zone, as libc knows it.

/// Seconds that local time is ahead of UTC at a moment (seconds since 1970); 0 if libc cannot tell.
///
/// The zone file is read once per process, so this works after a chroot if it was called before it.
pub fn local_offset(at: i64) -> i32 {
    local_time(at).0
}

/// The same, with the short name of the zone at that moment (`CEST`).
pub fn local_time(at: i64) -> (i32, &'static str) {
    static READ: std::sync::Once = std::sync::Once::new();
    unsafe extern "C" {
        fn tzset();
    }
    // SAFETY: tzset has no argument; `Once` keeps two threads from being in it.
    READ.call_once(|| unsafe { tzset() });
    let at = at as libc::time_t;
    let mut broken = std::mem::MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are valid for the call; localtime_r fills the second or returns null.
    let filled = unsafe { libc::localtime_r(&at, broken.as_mut_ptr()) };
    if filled.is_null() {
        return (0, "UTC");
    }
    // SAFETY: localtime_r filled it (and it was zeroed before, which is a valid `tm` too).
    let broken = unsafe { broken.assume_init() };
    let name = match broken.tm_zone.is_null() {
        true => "UTC",
        // SAFETY: not null; it ends with a zero byte and lives as long as the zone that was read, which is read once.
        false => unsafe { std::ffi::CStr::from_ptr(broken.tm_zone) }.to_str().unwrap_or("UTC"),
    };
    (i32::try_from(broken.tm_gmtoff).unwrap_or(0), name)
}

/// Milliseconds since the origin of the system's monotonic clock, which all processes share.
pub fn monotonic() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1000 + now.tv_nsec.unsigned_abs() / 1_000_000
}

/// The same in microseconds.
pub fn monotonic_microseconds() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000 + now.tv_nsec.unsigned_abs() / 1000
}
