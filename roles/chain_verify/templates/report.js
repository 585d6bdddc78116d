"use strict";
(function () {
  const root = document.documentElement;
  const theme = document.getElementById("theme");
  const dark = () => root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const name = () => { theme.textContent = dark() ? "Light colours" : "Dark colours"; };
  theme.hidden = false;
  theme.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; name(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
  name();

  const table = document.getElementById("sensors");
  if (!table) { return; }
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row) => ({ row, text: row.textContent.toLowerCase(), verdict: row.dataset.verdict }));
  const search = document.getElementById("search");
  const filter = document.getElementById("filter");
  const shown = document.getElementById("shown");
  const none = document.getElementById("none");
  const counts = Array.from(document.querySelectorAll("button.count"));

  function show() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let number = 0;
    for (const one of rows) {
      const match = (!filter.value || filter.value === one.verdict) && words.every((word) => one.text.includes(word));
      one.row.hidden = !match;
      number += match;
    }
    none.hidden = number > 0 || !rows.length;
    shown.textContent = `${number.toLocaleString("en")} of ${rows.length.toLocaleString("en")} sensor${rows.length === 1 ? "" : "s"}`;
    for (const one of counts) { one.setAttribute("aria-pressed", String(one.value === filter.value)); }
  }

  search.addEventListener("input", show);
  filter.addEventListener("change", show);
  for (const one of counts) {
    one.addEventListener("click", () => {
      filter.value = filter.value === one.value ? "" : one.value;
      show();
      document.getElementById("sensors-title").scrollIntoView();
    });
  }

  const compare = new Intl.Collator("en", { numeric: true }).compare;
  const key = (row, column) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
  for (const header of table.tHead.rows[0].cells) {
    header.querySelector("button").addEventListener("click", () => {
      const way = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of table.tHead.rows[0].cells) { other.setAttribute("aria-sort", "none"); }
      header.setAttribute("aria-sort", way === 1 ? "ascending" : "descending");
      const keyed = rows.map((one) => [key(one.row, header.cellIndex), one.row]);
      keyed.sort((a, b) => way * compare(a[0], b[0]));
      body.append(...keyed.map((pair) => pair[1]));
    });
  }
  addEventListener("beforeprint", () => document.querySelectorAll(".changes details").forEach((one) => { one.open = true; }));
  show();
})();
