//! dev only
use baton::text::*;
use std::net::*;
use std::path::*;
struct W(std::collections::HashMap<String, Vec<u8>>);
impl World for W {
    fn env(&self, n: &str) -> Option<Vec<u8>> { self.0.get(n).cloned() }
    fn set_env(&mut self, n: &str, v: Option<&[u8]>) { match v { Some(v) => { self.0.insert(n.into(), v.into()); } None => { self.0.remove(n); } } }
    fn keep_env(&mut self, n: &[String]) { self.0.retain(|k, _| n.contains(k)); }
    fn read(&self, p: &Path) -> std::io::Result<Vec<u8>> { std::fs::read(p) }
    fn list(&self, p: &Path) -> std::io::Result<Option<Vec<PathBuf>>> {
        if !std::fs::metadata(p)?.is_dir() { return Ok(None); }
        Ok(Some(std::fs::read_dir(p)?.filter_map(|e| e.ok()).map(|e| e.path()).collect()))
    }
    fn resolve(&self, h: &str) -> std::io::Result<Vec<IpAddr>> { (h, 0).to_socket_addrs().map(|a| a.map(|a| a.ip()).collect()) }
    fn user(&self, n: &str) -> Option<u32> { (n == "root" || n == "haproxy" || n=="nobody").then_some(1) }
    fn group(&self, n: &str) -> Option<u32> { (n == "root" || n == "haproxy"||n=="nogroup").then_some(1) }
    fn feature(&self, _: &str) -> bool { false }
    fn hostname(&self) -> String { "host".into() }
    fn processors(&self) -> usize { 2 }
}
fn main() {
    let files: Vec<PathBuf> = std::env::args().skip(1).map(PathBuf::from).collect();
    let mut w = W(std::env::vars().map(|(k, v)| (k, v.into_bytes())).collect());
    let mut s = SourceMap::default();
    let t = std::time::Instant::now();
    let j = baton::lower::configuration(&files, Default::default(), &mut w, &mut s);
    let el = t.elapsed();
    for d in &j.diagnostics { print!("{}", render(Banner { pid: 1 }, &s, d)); }
    if std::env::var("SHOW").is_ok() { if let Some(c) = &j.value { println!("{c:#?}"); } }
    let rc = match &j.value { None => 1, Some(c) if !c.listens() => 2, _ => 0 };
    let st = std::fs::read_to_string("/proc/self/status").unwrap();
    let hw = st.lines().find(|l| l.starts_with("VmHWM")).unwrap();
    if std::env::var("STAT").is_ok() { println!("{el:?} {hw}"); }
    println!("rc={rc}");
}
