// The statistics page's comforts: filter while typing, sorting, live figures and the course of rates.
// Without this script the page shows the same figures, and filters on the server.
"use strict";
(() => {
  document.documentElement.classList.add("scripted");
  const rows = [...document.querySelectorAll("tbody tr")];
  const byKey = new Map(rows.map((row) => [row.dataset.key, row]));
  const $ = (selector, within = document) => within.querySelector(selector);
  const cellOf = (row, column) => $(`[data-column="${column}"]`, row);

  // Filter.
  const form = $(".filter");
  const search = $("[name=scope]", form);
  const filter = () => {
    const part = search.value.trim().toLowerCase();
    for (const section of document.querySelectorAll("section")) {
      const whole = section.dataset.proxy.toLowerCase().includes(part);
      let shown = 0;
      for (const row of section.querySelectorAll("tbody tr")) {
        row.hidden = !whole && !row.dataset.name.toLowerCase().includes(part);
        shown += row.hidden ? 0 : 1;
      }
      section.hidden = shown === 0;
    }
  };
  search.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  $("button", form).hidden = true;

  // Sorting: servers move, the frontend stays first and the backend last.
  const value = (row, by) => {
    if (by === "name") return row.dataset.name.toLowerCase();
    if (by === "state") return $(".badge", row).textContent;
    return Number(cellOf(row, by).dataset.raw);
  };
  const sort = (head) => {
    const by = head.dataset.sort;
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentNode.querySelectorAll("th")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = $("tbody", head.closest("table"));
    const servers = [...body.querySelectorAll("tr.server")];
    servers.sort((a, b) => {
      const [x, y] = [value(a, by), value(b, by)];
      return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
    });
    const last = $("tr.backend", body);
    for (const row of servers) body.insertBefore(row, last);
  };
  for (const head of document.querySelectorAll("th[data-sort]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sort(head));
    head.replaceChildren(button);
  }

  // The course of rates, kept over reloads of this tab.
  const POINTS = 60;
  const store = "baton:" + location.pathname;
  let courses = {};
  try { courses = JSON.parse(sessionStorage.getItem(store)) || {}; } catch { /* none yet, or none allowed */ }
  const draw = (row) => {
    const points = courses[row.dataset.key];
    const place = $("td.spark", row);
    if (!Array.isArray(points) || points.length < 2) return;
    const top = Math.max(1, ...points);
    const step = 108 / (POINTS - 1);
    const from = 1 + (POINTS - points.length) * step; // the newest is at the right
    const line = points.map((n, at) => `${(from + at * step).toFixed(1)},${(24 - (n / top) * 22).toFixed(1)}`).join(" ");
    const name = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(name, "svg");
    svg.setAttribute("viewBox", "0 0 110 26");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `sessions per second, at most ${Math.max(...points)}`);
    const course = document.createElementNS(name, "polyline");
    course.setAttribute("points", line);
    svg.append(course);
    place.replaceChildren(svg);
  };
  const note = (row, rate) => {
    const points = Array.isArray(courses[row.dataset.key]) ? courses[row.dataset.key] : [];
    points.push(rate);
    courses[row.dataset.key] = points.slice(-POINTS);
    draw(row);
  };

  // Live figures from the CSV.
  const fields = (line) => {
    const out = [];
    for (const found of line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)) {
      if (found.index >= line.length) break;
      const text = found[1];
      out.push(text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text);
    }
    return out;
  };
  const count = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");
  const bytes = (n) => {
    let unit = 0;
    for (; n >= 999.5 && unit < 6; unit += 1) n /= 1024;
    return `${n.toFixed(unit > 0 && n < 99.95 ? 1 : 0)}\u202f${["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"][unit]}`;
  };
  const ago = (s) => {
    if (s < 60) return `${s}s`;
    if (s < 3600) return `${Math.floor(s / 60)}m ${s % 60}s`;
    if (s < 86400) return `${Math.floor(s / 3600)}h ${Math.floor(s / 60) % 60}m`;
    return `${Math.floor(s / 86400)}d ${Math.floor(s / 3600) % 24}h`;
  };
  const peaks = { scur: ["smax", "slim"], rate: ["rate_max", ""], qcur: ["qmax", "qlimit"] };
  const peak = (max, limit) => {
    if (limit) return `max ${count(max)} of ${count(limit)}`;
    return max === "0" ? "" : `max ${count(max)}`;
  };
  const tone = (kind, status) => {
    if (kind === "socket") return "up";
    if (kind === "frontend") return status === "OPEN" ? "up" : "maint";
    if (/^(UP|DOWN) \d/.test(status)) return "warning";
    if (status.startsWith("UP")) return "up";
    if (status.startsWith("DOWN")) return "down";
    return status === "no check" ? "idle" : "maint";
  };
  const update = (row, is) => {
    const kind = row.className;
    const badge = $(".badge", row);
    badge.textContent = is.status;
    badge.className = `badge ${tone(kind, is.status)}`;
    for (const cell of row.querySelectorAll("[data-column]")) {
      const column = cell.dataset.column;
      if (is[column] === "" || is[column] === undefined) continue;
      let n = Number(is[column]);
      if (column === "econ") n += Number(is.eresp);
      cell.dataset.raw = n;
      $("span", cell).textContent = column === "bin" || column === "bout" ? bytes(n) : count(n);
      if (peaks[column]) $("small", cell).textContent = peak(is[peaks[column][0]], is[peaks[column][1]]);
      if (column === "ereq" || column === "econ") cell.classList.toggle("alarming", n > 0);
    }
    const since = $(".since", row);
    if (since && is.lastchg !== "") since.textContent = ago(Number(is.lastchg));
    note(row, Number(is.rate));
  };
  const status = $(".live [role=status]");
  const look = async () => {
    try {
      // From the origin: an address with a password in it may not be fetched, and the page's own may have one.
      const answer = await fetch(location.origin + document.body.dataset.csv, { cache: "no-store" });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const lines = (await answer.text()).split("\n").filter(Boolean);
      const names = fields(lines.shift().slice(2));
      for (const line of lines) {
        const values = fields(line);
        const is = Object.fromEntries(names.map((name, at) => [name, values[at]]));
        const row = byKey.get(`${is.pxname}/${is.svname}`);
        if (row) update(row, is);
      }
      const servers = [...document.querySelectorAll("tr.server .badge")];
      const tally = (...tones) => servers.filter((badge) => tones.some((tone) => badge.classList.contains(tone))).length;
      $(".tally .up b").textContent = tally("up");
      $(".tally .warning b").textContent = tally("warning");
      $(".tally .down b").textContent = tally("down");
      $(".tally .idle b").textContent = tally("idle", "maint");
      status.textContent = new Date().toLocaleTimeString();
    } catch (error) {
      status.textContent = `no answer (${error.message})`;
    }
    try { sessionStorage.setItem(store, JSON.stringify(courses)); } catch { /* full or forbidden */ }
  };
  rows.forEach(draw);
  const period = Number(document.body.dataset.live) * 1000;
  if (period > 0) {
    const button = $(".live button");
    const on = () => button.getAttribute("aria-pressed") === "true";
    button.addEventListener("click", () => button.setAttribute("aria-pressed", String(!on())));
    $(".live").hidden = false;
    setInterval(() => { if (on() && !document.hidden) look(); }, period);
    look();
  }
})();
