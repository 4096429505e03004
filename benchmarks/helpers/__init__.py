"""Scripts with numpy in them, run as processes of their own so that the harness stays small."""
