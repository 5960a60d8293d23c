(...values) => {
  dispatchEvent(new CustomEvent("teachable-settings", { detail: values }));
}
