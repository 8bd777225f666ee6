"use strict";
// on a phone the way between pages opens by its button; without this script it is always open
const menu = document.querySelector(".menu");
const way = document.getElementById("pages");
if (menu && way) {
  menu.hidden = false;
  menu.addEventListener("click", () => menu.setAttribute("aria-expanded", String(way.classList.toggle("open"))));
}
// draw every chart from the figure that stands beside it, in the colours of the theme; on paper in those of the light one, as wide as the paper
const LIT = {
  "#1b2a3a": "#dde5ed", "#5d6b7a": "#9fb0c0", "#e6eaee": "#2b3947", "#28557f": "#6ea6da", "#1d7a74": "#3fb5ac", "#2f9e97": "#4cc3ba",
  "#6a5d9e": "#a99ce0", "#b4527b": "#e083aa", "#cf4a5a": "#ef7d8a", "#4d5a66": "#9fb0c0", "#c9d0d7": "#7d8b99", "#d9dee4": "#5c6a78",
};
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const PAPER = 660;
const draw = (paper = false) => document.querySelectorAll("[data-figure]").forEach((place) => {
  const isDark = dark.matches && !paper;
  const text = document.getElementById(place.dataset.figure).textContent;
  const figure = JSON.parse(isDark ? text.replace(/#[0-9a-f]{6}/g, (colour) => LIT[colour] ?? colour) : text);
  const hover = isDark ? { hoverlabel: { ...figure.layout.hoverlabel, bgcolor: "#1f2b38" } } : {};
  const width = paper ? { width: PAPER } : {};
  Plotly.react(place, figure.data, { ...figure.layout, ...hover, ...width }, { responsive: true, displayModeBar: false });
});
draw();
dark.addEventListener("change", () => draw());
window.addEventListener("beforeprint", () => draw(true));
window.addEventListener("afterprint", () => draw());
// what scrolls sideways can be reached by the keyboard, and says what it is
const reachable = () => document.querySelectorAll(".scroll").forEach((box) => {
  const scrolls = box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1;
  const caption = box.querySelector("caption");
  const given = { tabindex: "0", role: "region", "aria-label": caption ? caption.textContent : "Picture" };
  Object.entries(given).forEach(([name, value]) => (scrolls ? box.setAttribute(name, value) : box.removeAttribute(name)));
});
reachable();
window.addEventListener("resize", reachable);
document.querySelectorAll("details").forEach((part) => part.addEventListener("toggle", reachable));
// lineage: pointing at a card, or coming to it by the keyboard, leaves only its own lines bright
document.querySelectorAll("svg.lineage .card").forEach((card) => {
  const picture = card.closest("svg");
  const lines = [...picture.querySelectorAll(".flow")];
  const point = () => {
    const job = card.dataset.job;
    const own = lines.filter((line) => line.dataset.from === job || line.dataset.to === job);
    const near = new Set([job, ...own.flatMap((line) => [line.dataset.from, line.dataset.to])]);
    picture.classList.add("pointed");
    lines.forEach((line) => line.classList.toggle("own", own.includes(line)));
    picture.querySelectorAll(".card").forEach((other) => other.classList.toggle("own", near.has(other.dataset.job)));
  };
  const leave = () => picture.classList.remove("pointed");
  card.addEventListener("mouseenter", point);
  card.addEventListener("mouseleave", leave);
  card.addEventListener("focusin", point);
  card.addEventListener("focusout", leave);
});
// dictionary: show only what holds the word
const find = document.getElementById("find");
if (find) {
  const entries = [...document.querySelectorAll(".entry")];
  find.addEventListener("input", () => {
    const word = find.value.trim().toLowerCase();
    let shown = 0;
    entries.forEach((entry) => {
      const head = entry.querySelector("summary").textContent.toLowerCase().includes(word);
      let hits = 0;
      entry.querySelectorAll("[data-find]").forEach((row) => {
        const hit = head || row.textContent.toLowerCase().includes(word);
        row.hidden = !hit;
        hits += hit;
      });
      entry.hidden = !hits;
      entry.open = word.length > 1 && hits > 0;
      shown += hits > 0;
    });
    document.getElementById("nothing").hidden = shown > 0;
  });
}
const opened = location.hash && document.getElementById(location.hash.slice(1));
if (opened && opened.tagName === "DETAILS") opened.open = true;
document.querySelectorAll("aside a").forEach((link) => link.addEventListener("click", () => {
  document.getElementById(link.hash.slice(1)).open = true;
}));
// long tables: rows that hold the word and are of what was chosen; of a choice "moved" also those "moved greatly"
document.querySelectorAll("form[data-filters]").forEach((form) => {
  const all = [...document.getElementById(form.dataset.filters).tBodies[0].rows];
  const rows = all.filter((row) => !row.classList.contains("group"));
  const choices = [...form.querySelectorAll("select")];
  const apply = () => {
    const word = form.elements.word.value.trim().toLowerCase();
    let shown = 0;
    rows.forEach((row) => {
      const chosen = choices.every((one) => !one.value || row.dataset[one.name] === one.value || row.dataset[one.name].startsWith(`${one.value} `));
      row.hidden = !chosen || !row.textContent.toLowerCase().includes(word);
      shown += !row.hidden;
    });
    // the head of a group stands as long as one of its rows does
    let group = null;
    all.forEach((row) => {
      if (row.classList.contains("group")) { group = row; group.hidden = true; }
      else if (row.classList.contains("alone")) group = null;
      else if (group && !row.hidden) group.hidden = false;
    });
    form.querySelector("output").value = `${shown} of ${rows.length}`;
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  // a link to a row that is hidden shows all again
  window.addEventListener("hashchange", () => {
    const row = document.getElementById(location.hash.slice(1));
    if (row && rows.includes(row) && row.hidden) { form.reset(); apply(); row.scrollIntoView({ block: "center" }); }
  });
  apply();
});
// and sorted by the column whose head is clicked: numbers from the greatest, words from A; what has no value comes last
document.querySelectorAll("table.sorts").forEach((table) => {
  const heads = [...table.tHead.rows[0].cells];
  const value = (row, at) => row.cells[at].dataset.value ?? row.cells[at].textContent.trim();
  heads.forEach((head, at) => head.hasAttribute("data-sort") && head.querySelector("button").addEventListener("click", () => {
    const isNumber = head.classList.contains("n");
    const first = isNumber ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? (isNumber ? "ascending" : "descending") : first;
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", order);
    const way = order === "ascending" ? 1 : -1;
    const sorted = [...table.tBodies[0].rows].sort((one, other) => {
      const [a, b] = [value(one, at), value(other, at)];
      if (!isNumber) return way * a.localeCompare(b);
      return a === "" || b === "" ? (a === "") - (b === "") : way * (a - b);
    });
    table.tBodies[0].append(...sorted);
  }));
});
