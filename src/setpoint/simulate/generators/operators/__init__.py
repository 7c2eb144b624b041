"""What people do: releases, configurations, overrides and orders, at random moments and at the worst ones."""
