"use strict";
// draw every chart from the figure that stands beside it
document.querySelectorAll("[data-figure]").forEach((place) => {
  const figure = JSON.parse(document.getElementById(place.dataset.figure).textContent);
  Plotly.newPlot(place, figure.data, figure.layout, { responsive: true, displayModeBar: false });
});
// lineage: pointing at a card leaves only its own lines bright
document.querySelectorAll("svg.lineage .card").forEach((card) => {
  const picture = card.closest("svg");
  const lines = [...picture.querySelectorAll(".flow")];
  card.addEventListener("mouseenter", () => {
    const job = card.dataset.job;
    const own = lines.filter((line) => line.dataset.from === job || line.dataset.to === job);
    const near = new Set([job, ...own.flatMap((line) => [line.dataset.from, line.dataset.to])]);
    picture.classList.add("pointed");
    lines.forEach((line) => line.classList.toggle("own", own.includes(line)));
    picture.querySelectorAll(".card").forEach((other) => other.classList.toggle("own", near.has(other.dataset.job)));
  });
  card.addEventListener("mouseleave", () => picture.classList.remove("pointed"));
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
