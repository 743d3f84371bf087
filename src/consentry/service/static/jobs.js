// The list of jobs, live. The page says all of it without this too: it only saves pressing Refresh.
// Cells are found by the heading of their column in the export of the list: the last one holds the lease.
"use strict";
(() => {
  const place = document.getElementById("jobs");
  const live = document.getElementById("live");
  if (!place || !live || !window.EventSource) return;
  const columns = { state: 3, step: 4, items: 5, left_s: 6, order: 7, ended_at: 9, lease: 10 };
  const kinds = { granted: "go", stopped: "stop", failed: "stop", revoked: "stop", expired: "hold" };
  const number = new Intl.NumberFormat(document.documentElement.lang);
  const put = (cell, value) => {
    const text = value === null || value === "" ? "–" : typeof value === "number" ? number.format(value) : String(value);
    if (cell.textContent.trim() !== text) cell.textContent = text;
  };
  const show = (jobs) => {
    const rows = new Map();
    for (const row of place.querySelectorAll("tbody tr")) rows.set(row.cells[columns.lease].textContent.trim(), row);
    for (const job of jobs) {
      const row = rows.get(job.lease);
      if (!row) continue;
      for (const name of ["step", "items", "left_s", "order"]) put(row.cells[columns[name]], job[name]);
      const end = row.cells[columns.ended_at];
      if (job.ended_at !== null && !end.querySelector("time")) {
        const time = document.createElement("time");
        time.dateTime = new Date(job.ended_at * 1000).toISOString().replace(".000", "");
        time.textContent = job.ended;
        end.replaceChildren(time);
      }
      const badge = row.cells[columns.state].firstElementChild;
      if (badge && badge.textContent !== job.state) {
        badge.textContent = job.state;
        badge.className = "badge " + (kinds[job.state] || "plain");
      }
    }
    // A lease that came after the page, which shows only some: oldest first here, and nothing is searched for.
    const newest = jobs.length ? jobs[jobs.length - 1].lease : "";
    if (newest !== place.dataset.newest && !window.location.search) window.location.reload();
  };
  const source = new EventSource("/console/jobs/events");
  source.addEventListener("jobs", (event) => { live.textContent = live.dataset.on; show(JSON.parse(event.data)); });
  source.addEventListener("error", () => { live.textContent = live.dataset.off; });
})();
