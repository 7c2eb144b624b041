"""Search: many seeds on all cores, failures reduced to the shortest case, cases as files, timelines and traces of a run."""
