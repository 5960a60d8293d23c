/** Columns that stay in sight while the classes scroll: at the top where they fit, else with their end in view. */

const EDGE = 20;

/** @param {HTMLElement} column */
export function keepInSight(column) {
  const place = () => {
    const spare = innerHeight - column.offsetHeight - EDGE;
    column.style.insetBlockStart = `${Math.min(EDGE, spare)}px`;
  };
  new ResizeObserver(place).observe(column);
  addEventListener("resize", place);
}
