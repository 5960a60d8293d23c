// Runs in each Studio mount: "project_opened" "model_changed" "train_state" "report_changed" are the events Python listens to.
import(props.studio + "/studio/main.js").then((studio) => studio.mount({ element, trigger, props, watch }));
