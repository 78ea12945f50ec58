(() => {
  // Panel's components have shadow roots; the path of an event goes through them.
  const within = (event, selector) =>
    event.composedPath().find((e) => e instanceof Element && e.matches(selector));
  const model = (tag) => {
    for (const doc of Bokeh.documents) for (const m of doc.all_models) if (m.tags.includes(tag)) return m;
  };
  document.addEventListener("click", async (event) => {
    const choice = within(event, "button.choice");
    if (choice) model("image").value = Number(choice.dataset.row);
    const copy = within(event, "button.copy");
    if (copy) {
      await navigator.clipboard.writeText(copy.parentElement.querySelector("pre").textContent);
      copy.textContent = "Copied";
      setTimeout(() => { copy.textContent = "Copy"; }, 1500);
    }
  });
  // Dragging the picture moves the image, in its own pixels.
  let drag = null;
  document.addEventListener("pointerdown", (event) => {
    const pad = within(event, "img.pad");
    if (!pad) return;
    const [right, down] = [model("right"), model("down")];
    drag = { x: event.clientX, y: event.clientY, right, down, at: [right.value, down.value], pixels: pad.naturalWidth / pad.clientWidth };
    event.preventDefault();
  });
  document.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const set = (m, start, moved) => {
      const value = start + moved * drag.pixels;
      m.value = Math.min(m.end, Math.max(m.start, Math.round(value / m.step) * m.step));
    };
    set(drag.right, drag.at[0], event.clientX - drag.x);
    set(drag.down, drag.at[1], event.clientY - drag.y);
  });
  for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, () => { drag = null; });
})();
