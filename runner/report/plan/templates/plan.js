"use strict";
const form = document.getElementById("filters");
const none = document.getElementById("none");
const found = form.querySelector(".found");
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

function apply() {
  const asked = new FormData(form);
  const kinds = new Set(asked.getAll("kind"));
  const task = asked.get("task");
  const field = asked.get("field");
  const everyKind = kinds.size === all("[name=kind]", form).length;
  let shown = 0;
  let total = 0;
  for (const card of all(".task")) {
    const fits = !task || card.dataset.task === task;
    let any = false;
    for (const row of all(".fields tbody tr", card)) {
      const kept = !field || row.dataset.field === field;
      row.hidden = !(kept && kinds.has("update"));
      any = any || !row.hidden;
    }
    const table = card.querySelector(".fields");
    if (table) table.hidden = !any;
    for (const part of all("[data-kind]", card)) {
      const ofKind = kinds.has(part.dataset.kind);
      let rows = 0;
      for (const row of all(".row", part)) {
        const kept = !field || row.dataset.fields.split("\n").includes(field);
        row.hidden = !(ofKind && kept);
        for (const cell of all("[data-field]", row)) {
          cell.hidden = Boolean(field) && cell.dataset.field !== field;
        }
        total += 1;
        rows += row.hidden ? 0 : 1;
      }
      const more = part.querySelector(".more");
      if (more) more.hidden = Boolean(field);
      part.hidden = !ofKind || (Boolean(field) && rows === 0);
      any = any || !part.hidden;
      shown += fits ? rows : 0;
    }
    card.hidden = !fits || ((Boolean(field) || !everyKind) && !any);
  }
  none.hidden = all(".task").some((card) => !card.hidden);
  found.textContent = `${shown} of ${total} rows listed`;
}

for (const each of all(".choices.scripted")) each.hidden = false;
form.addEventListener("change", apply);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(apply));
for (const button of all(".pick")) {
  button.addEventListener("click", () => {
    form.elements.task.value = button.closest(".task").dataset.task;
    form.elements.field.value = button.dataset.pick;
    apply();
  });
}
apply();
