"""What the whole project holds to: its apps, settings, environment, wheel, infrastructure."""
