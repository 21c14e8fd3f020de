// The divider between two pictures, of the page of validate.py and of app.py.
// Lets pointers and keys move a divider: `--at` of the stage, in percent of its width.
// A pointer drags it anywhere on `grip`.
function moveDivider(stage, handle, grip = stage) {
  let at = 50;

  function move(percent) {
    at = Math.min(100, Math.max(0, percent));
    stage.style.setProperty("--at", `${at}%`);
    handle.setAttribute("aria-valuenow", Math.round(at));
  }

  function follow(event) {
    const box = stage.getBoundingClientRect();
    move(((event.clientX - box.left) / box.width) * 100);
  }

  grip.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    grip.setPointerCapture(event.pointerId);
    handle.focus({ preventScroll: true });
    follow(event);
    event.preventDefault();
  });
  grip.addEventListener("pointermove", (event) => {
    if (grip.hasPointerCapture(event.pointerId)) follow(event);
  });
  handle.addEventListener("keydown", (event) => {
    const by = event.shiftKey ? 10 : 2;
    const [less, more] = [at - by, at + by];
    const targets = {
      ...{ ArrowLeft: less, ArrowDown: less, ArrowRight: more, ArrowUp: more },
      ...{ PageDown: at - 10, PageUp: at + 10, Home: 0, End: 100 },
    };
    if (!(event.key in targets)) return;
    move(targets[event.key]);
    event.preventDefault();
  });
}
