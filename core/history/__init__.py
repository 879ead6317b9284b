"""What changed, by whom, when and why: kept by triggers, sealed in chains, so that nobody's change goes unseen."""
