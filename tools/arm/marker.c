// Hints without effect that count.c takes for the borders of what it counts.
void region_start(void) { __asm__ volatile("hint #118" ::: "memory"); }
void region_stop(void) { __asm__ volatile("hint #119" ::: "memory"); }
