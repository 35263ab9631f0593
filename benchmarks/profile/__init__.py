"""Where a run's time goes: ``linnet profile``, its charts and its report."""
