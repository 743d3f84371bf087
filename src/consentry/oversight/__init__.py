"""Who stopped it, and on what terms?"""
