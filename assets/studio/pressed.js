/**
 * What is pressed has the focus. Safari on a Mac or an iPad gives it to no button, link or tick box, but to what lies
 * around it or to nothing: the next key would go astray, and a dialog that closes would not know where it came from.
 */
export function focusPressed() {
  addEventListener(
    "click",
    ({ target, isTrusted }) => {
      const pressed = isTrusted && target instanceof Element ? target.closest("button, a[href], input, select, summary") : null;
      const held = document.activeElement ?? document.body;
      // Focus that is elsewhere was put there.
      if (pressed instanceof HTMLElement && pressed !== held && held.contains(pressed)) pressed.focus({ preventScroll: true });
    },
    { capture: true },
  );
}
