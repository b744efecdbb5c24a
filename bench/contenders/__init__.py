"""The contenders of the engine benchmarks: every one is a program of its own that is told a `bench.job.Task` and says what it used."""
