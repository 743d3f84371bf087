"""What the made-up people write: sentences by style and language, with `{job}`, `{company}` and `{city}` to fill in.

A text is an opening and a closing. A style that a language lacks is written in English.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Phrases(NamedTuple):
    """Both halves of a text."""

    openings: tuple[str, ...]
    closings: tuple[str, ...]


TALK: Mapping[str, Phrases] = {
    "en": Phrases(
        (
            "Happy to share that I am starting a new position as {job} at {company}.",
            "We are hiring a {job} in {city}.",
            "Ten years ago I joined {company} as a {job}.",
            "What a week in {city} with the team of {company}!",
            "Unpopular opinion: most {job} interviews test the wrong thing.",
            "Three lessons from moving our systems at {company}.",
        ),
        (
            "Thank you to everyone who helped on the way.",
            "Send me a message if you would like to hear more.",
            "What would you have done differently?",
            "Slides and notes are in the comments.",
            "I am looking forward to the next chapter.",
            "Curious what others in {city} think.",
        ),
    ),
    "es": Phrases(
        (
            "Me alegra anunciar que empiezo como {job} en {company}.",
            "En {company} buscamos {job} en {city}.",
            "Hoy cumplo cinco años en {company}.",
            "Gran jornada en {city} con el equipo de {company}.",
        ),
        ("Gracias a todos por el apoyo.", "Escríbeme si te interesa.", "¿Qué opináis?", "Seguimos aprendiendo."),
    ),
    "pt": Phrases(
        (
            "Feliz em contar que começo como {job} na {company}.",
            "A {company} está contratando {job} em {city}.",
            "Hoje completo três anos na {company}.",
            "Que semana incrível em {city}!",
        ),
        (
            "Obrigado a todos pelo apoio.",
            "Me chama no privado se tiver interesse.",
            "O que vocês acham?",
            "Vamos juntos!",
        ),
    ),
    "fr": Phrases(
        (
            "Heureux de rejoindre {company} en tant que {job}.",
            "{company} recrute : {job} à {city}.",
            "Cela fait cinq ans que je travaille chez {company}.",
            "Belle semaine à {city} avec l'équipe de {company}.",
        ),
        (
            "Merci à toutes et à tous.",
            "Écrivez-moi si cela vous intéresse.",
            "Qu'en pensez-vous ?",
            "La suite bientôt.",
        ),
    ),
    "de": Phrases(
        (
            "Ich freue mich auf meine neue Stelle als {job} bei {company}.",
            "{company} sucht Verstärkung: {job} in {city}.",
            "Seit heute bin ich zehn Jahre bei {company}.",
            "Was für eine Woche in {city}!",
        ),
        ("Danke an alle, die dabei geholfen haben.", "Schreibt mir gern.", "Wie seht ihr das?", "Fortsetzung folgt."),
    ),
    "it": Phrases(
        ("Felice di iniziare come {job} in {company}.", "{company} cerca {job} a {city}.", "Che settimana a {city}!"),
        ("Grazie a tutti.", "Scrivetemi se vi interessa.", "Voi che ne pensate?"),
    ),
    "nl": Phrases(
        (
            "Blij om te beginnen als {job} bij {company}.",
            "{company} zoekt een {job} in {city}.",
            "Wat een week in {city}!",
        ),
        ("Dank aan iedereen.", "Stuur me een bericht.", "Wat vinden jullie?"),
    ),
    "pl": Phrases(
        (
            "Z radością zaczynam pracę jako {job} w {company}.",
            "{company} szuka: {job}, {city}.",
            "Świetny tydzień: {city}!",
        ),
        ("Dziękuję wszystkim za wsparcie.", "Napisz do mnie.", "Co o tym myślicie?"),
    ),
    "sv": Phrases(
        ("Glad att börja som {job} på {company}.", "{company} söker {job} i {city}.", "Vilken vecka i {city}!"),
        ("Tack till alla.", "Hör gärna av dig.", "Vad tycker ni?"),
    ),
    "tr": Phrases(
        ("{company} bünyesinde {job} olarak başlıyorum.", "{company}, {city} için {job} arıyor.", "{city} harikaydı!"),
        ("Herkese teşekkürler.", "Bana yazabilirsiniz.", "Siz ne düşünüyorsunuz?"),
    ),
    "id": Phrases(
        (
            "Senang bergabung dengan {company} sebagai {job}.",
            "{company} mencari {job} di {city}.",
            "Minggu yang seru di {city}!",
        ),
        ("Terima kasih semuanya.", "Silakan kirim pesan.", "Bagaimana menurut Anda?"),
    ),
    "uk": Phrases(
        ("Радію новій посаді в {company}: {job}.", "{company} шукає {job} у місті {city}.", "Чудовий тиждень, {city}!"),
        ("Дякую всім за підтримку.", "Пишіть мені.", "Що ви думаєте?"),
    ),
    "hi": Phrases(
        ("{company} में {job} के रूप में नई शुरुआत।", "{company} को {city} में {job} चाहिए।", "{city} में शानदार सप्ताह!"),
        ("आप सभी का धन्यवाद।", "मुझे संदेश भेजें।", "आप क्या सोचते हैं?"),
    ),
    "ja": Phrases(
        (
            "{company}に{job}として入社しました。",
            "{company}では{city}で{job}を募集しています。",
            "{city}での一週間でした。",
        ),
        ("皆さま、ありがとうございます。", "ご興味のある方はご連絡ください。", "どう思われますか。"),
    ),
    "zh": Phrases(
        ("很高兴加入{company},担任{job}。", "{company}在{city}招聘{job}。", "在{city}度过了精彩的一周!"),
        ("感谢大家的支持。", "有兴趣请私信我。", "大家怎么看?"),
    ),
    "ar": Phrases(
        ("يسعدني الانضمام إلى {company}.", "تبحث {company} عن موظفين في {city}.", "أسبوع رائع في {city}!"),
        ("شكراً لكم جميعاً.", "راسلوني إن كنتم مهتمين.", "ما رأيكم؟"),
    ),
}

RESUME: Mapping[str, Phrases] = {
    "en": Phrases(
        ("{job}. {company}, {city}, since 2019.", "{job} with eleven years of experience, last at {company}."),
        ("Before: {job} at {company}. Languages: English.", "Degree from {city}. References on request."),
    ),
    "es": Phrases(("{job}. {company}, {city}, desde 2018.",), ("Antes: {job} en {company}.", "Formación en {city}.")),
    "pt": Phrases(("{job}. {company}, {city}, desde 2020.",), ("Antes: {job} na {company}.", "Formação em {city}.")),
    "fr": Phrases(("{job}. {company}, {city}, depuis 2017.",), ("Avant : {job} chez {company}.", "Études à {city}.")),
    "de": Phrases(("{job}. {company}, {city}, seit 2016.",), ("Davor: {job} bei {company}.", "Studium in {city}.")),
}

ANSWER: Mapping[str, Phrases] = {
    "en": Phrases(
        ("I want to work at {company} because of the team in {city}.", "My notice period is three months."),
        ("I have worked as a {job} before.", "I hold a permit to work in {city}."),
    ),
    "fr": Phrases(("Je souhaite rejoindre {company}.",), ("Mon préavis est de trois mois.", "J'ai été {job}.")),
    "de": Phrases(("Ich möchte zu {company} nach {city}.",), ("Meine Kündigungsfrist beträgt drei Monate.",)),
}

NOTE: Mapping[str, Phrases] = {
    "en": Phrases(
        ("Hi, are you still looking for a {job}?", "Could we talk about {company} tomorrow?", "Congratulations!"),
        ("I am in {city} until Friday.", "Call me when you can.", "Thanks!"),
    ),
    "es": Phrases(("Hola, ¿sigues buscando {job}?", "¡Enhorabuena!"), ("Estoy en {city}.", "Gracias.")),
    "pt": Phrases(("Oi, ainda procura {job}?", "Parabéns!"), ("Estou em {city}.", "Obrigado!")),
    "fr": Phrases(("Bonjour, cherchez-vous toujours un {job} ?", "Félicitations !"), ("Je suis à {city}.", "Merci !")),
    "de": Phrases(("Hallo, suchen Sie noch: {job}?", "Glückwunsch!"), ("Ich bin in {city}.", "Danke!")),
}

PROMPT: Mapping[str, Phrases] = {
    "en": Phrases(
        ("Draft a message to a recruiter at {company}.", "Make my profile summary as a {job} shorter."),
        ("Keep it friendly.", "Mention {city}.", "Two sentences at most."),
    ),
    "fr": Phrases(("Rédige un message pour un recruteur de {company}.",), ("Reste poli.", "Deux phrases.")),
    "de": Phrases(("Schreib eine Nachricht an {company}.",), ("Bitte förmlich.", "Höchstens zwei Sätze.")),
}

RATING: Mapping[str, Phrases] = {
    "en": Phrases(("Helpful.", "Too formal.", "Wrong company."), ("", "I never lived in {city}."))
}
SALARY: Mapping[str, Phrases] = {
    "en": Phrases(
        ("{job} at {company}: 64,000 a year.", "{job}, {city}: 5,200 a month."), ("Bonus included.", "No bonus.")
    )
}
PAPER: Mapping[str, Phrases] = {"en": Phrases(("Certificate: {job}.", "Invoice to {company}."), ("Issued in {city}.",))}
REACTION: Mapping[str, Phrases] = {"en": Phrases(("like", "celebrate", "insightful", "support"), ("",))}

STYLES: tuple[Mapping[str, Phrases], ...] = (TALK, RESUME, ANSWER, NOTE, PROMPT, RATING, SALARY, PAPER, REACTION)
