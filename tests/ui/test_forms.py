"""Forms: labels, limits, errors at the field, input kept."""

import re

from django import forms
from django.template.loader import render_to_string
from django.utils import translation

from console.ui.fields import NOT_SET
from console.ui.forms import ConfirmForm, FileWidget, Sections


class Sample(forms.Form):
    name = forms.CharField(label="Name", max_length=30, min_length=4, help_text="4 to 30 characters.")
    count = forms.IntegerField(label="Count", min_value=10, max_value=1000)
    kind = forms.ChoiceField(label="Kind", choices=[("a", "A"), ("b", "B")], widget=forms.RadioSelect)
    package = forms.FileField(
        label="Package", required=False, widget=FileWidget(max_bytes=1024**2, accept=".bin")
    )
    sure = forms.BooleanField(label="Sure")

    def clean(self):
        if self.cleaned_data.get("name") == "wrong":
            raise forms.ValidationError("Not this one.")
        return self.cleaned_data


def page(form, rf, **context):
    return render_to_string("ui/form.html", {"form": form, **context}, request=rf.get("/new"))


def test_a_field_has_label_help_limit_and_counter(rf):
    html = page(Sample(), rf)
    assert re.search(r'<label class="form-label" for="id_name">\s*Name', html)
    assert 'aria-describedby="id_name_helptext"' in html
    assert 'data-counter="id_name" data-max="30"' in html
    assert re.search(r'data-max="30"\s*aria-hidden="true" hidden>', html)
    assert "10 to 1,000" in html
    assert "Up to 1 MB" in html
    assert 'enctype="multipart/form-data"' in html


def test_the_maximum_length_stands_beside_the_label_unless_the_help_states_it(rf):
    class Sizes(forms.Form):
        title = forms.CharField(max_length=80)
        stated = forms.CharField(max_length=30, help_text="4 to 30 characters.")
        address = forms.EmailField(max_length=320, widget=forms.TextInput(attrs={"type": "email"}))

    html = page(Sizes(), rf)
    assert re.search(r'id="id_title_limit">Up to 80 characters</span>', html)
    assert 'aria-describedby="id_title_limit"' in html
    assert html.count("Up to") == 1
    assert 'id="id_title_helptext"' not in html


def test_an_error_is_shown_at_its_field_and_input_is_kept(rf):
    html = page(Sample({"name": "<ab", "count": "5", "kind": "a", "sure": "on"}), rf)
    assert 'value="&lt;ab"' in html
    assert 'id="id_name_error"' in html
    assert 'aria-invalid="true"' in html
    assert "id_name_error" in html.split('name="name"')[1].split(">")[0]


def test_an_error_takes_the_place_of_the_hint(rf):
    html = page(Sample({"name": "abc", "count": "50", "kind": "a", "sure": "on"}), rf)
    assert 'aria-describedby="id_name_error"' in html
    assert "4 to 30 characters." not in html


def test_an_error_for_a_missing_value_names_the_field_and_keeps_the_hint(rf):
    html = page(Sample({"name": "", "count": ""}), rf)
    for message in ("Enter the name.", "Enter the count.", "Select an option.", "Select “Sure”."):
        assert message in html
    assert "This field is required" not in html
    assert 'aria-describedby="id_name_error id_name_helptext"' in html
    with translation.override("zh-hans"):
        assert "This field is required" not in page(Sample({"name": ""}), rf)


def test_a_number_outside_the_range_is_answered_with_the_range():
    class Limits(forms.Form):
        low = forms.IntegerField(min_value=3)
        high = forms.IntegerField(max_value=5)

    limits = Limits({"low": "2", "high": "6"})
    assert limits["low"].errors == ["Enter 3 or more."]
    assert limits["high"].errors == ["Enter 5 or less."]
    for count in ("9", "1001"):
        assert Sample({"count": count})["count"].errors == ["Enter a number from 10 to 1,000."]


def test_the_length_of_an_email_address_is_not_explained():
    class SignIn(forms.Form):
        email = forms.EmailField(widget=forms.TextInput)

    assert SignIn()["email"].hint == ""


def test_a_label_that_is_a_term_keeps_its_capitals(rf):
    class Keys(forms.Form):
        key = forms.CharField(label="AccessKey ID")
        own = forms.CharField(label="Own", error_messages={"required": "Name it."})
        password = forms.CharField(label="New password", widget=forms.PasswordInput)

    html = page(Keys({}), rf)
    assert "Enter the AccessKey ID." in html
    assert "Enter the new password." in html
    assert 'aria-label="Show new password"' in html
    assert "Name it." in html


def test_more_than_one_wrong_field_is_listed_above_the_form_with_links(rf):
    html = page(Sample({"name": "abc", "count": "5", "kind": "a", "sure": "on"}), rf)
    assert "2 fields are not valid:" in html
    assert '<a href="#id_name">Name</a>' in html
    assert '<a href="#id_count">Count</a>' in html
    assert "not valid" not in page(Sample({"name": "abc", "count": "50", "kind": "a", "sure": "on"}), rf)


def test_each_kind_of_field_that_may_stay_empty_is_marked_optional(rf):
    class Optional(forms.Form):
        text = forms.CharField(required=False)
        chosen = forms.ChoiceField(required=False, choices=[("", NOT_SET)])
        default = forms.ChoiceField(required=False, choices=[("", "As the browser"), ("zh", "Chinese")])
        one_of = forms.ChoiceField(required=False, choices=[("a", "A")], widget=forms.RadioSelect)
        secret = forms.CharField(required=False, widget=forms.PasswordInput)
        ticked = forms.MultipleChoiceField(
            required=False, choices=[("a", "A")], widget=forms.CheckboxSelectMultiple
        )
        switch = forms.BooleanField(required=False)
        needed = forms.CharField()
        fixed = forms.CharField(required=False, disabled=True)

    assert page(Optional(), rf).count('"fd-optional"') == 4


def test_a_new_secret_that_is_not_sent_back_is_asked_for_again(rf):
    class Keys(forms.Form):
        name = forms.CharField()
        secret = forms.CharField(widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}))

    html = page(Keys({"name": "", "secret": "typed"}), rf)
    assert "Enter it again." in html
    assert "typed" not in html
    assert "Enter it again." not in page(Keys(), rf)


def test_advanced_fields_are_folded_unless_one_has_a_value_or_an_error(rf):
    class Sectioned(Sections, forms.Form):
        name = forms.CharField()
        size = forms.IntegerField(required=False)
        mode = forms.CharField(initial="auto")
        sections = (("Basics", ("name",)),)
        advanced = ("size", "mode")

    def is_open(form):
        return '<details class="fd-advanced" open>' in page(form, rf)

    assert "Basics" in page(Sectioned(), rf)
    assert not is_open(Sectioned())
    assert not is_open(Sectioned({"name": "", "size": "", "mode": "auto"}))
    assert is_open(Sectioned({"name": "", "size": "x", "mode": "auto"}))
    assert is_open(Sectioned(initial={"size": 5}))
    assert is_open(Sectioned({"name": "a", "size": "", "mode": "off"}))


def test_an_error_of_the_whole_form_is_announced(rf):
    html = page(Sample({"name": "wrong", "count": "50", "kind": "a", "sure": "on"}), rf)
    assert 'role="alert"' in html
    assert "Not this one." in html


def test_choices_are_a_fieldset_with_a_legend(rf):
    html = page(Sample(), rf)
    assert re.search(r'<legend class="form-label">\s*Kind\s*</legend>', html)
    assert html.count('type="radio"') == 2


def test_a_form_carries_the_csrf_token_and_no_inline_style_or_script(rf):
    html = page(Sample(), rf)
    assert "csrfmiddlewaretoken" in html
    assert " style=" not in html
    assert "<script" not in html


def test_a_deletion_needs_the_exact_name():
    assert ConfirmForm("Meter_3", {"typed": "Meter_3"}).is_valid()
    for typed in ("meter_3", "Meter_", "", "Meter_33"):
        assert not ConfirmForm("Meter_3", {"typed": typed}).is_valid()


def test_a_browser_does_not_cut_off_a_pasted_text(rf):
    """The counter shows that it is too long, and the server refuses it."""

    class Notes(forms.Form):
        note = forms.CharField(max_length=30)
        names = forms.CharField(max_length=20_000, widget=forms.Textarea)

    html = render_to_string(
        "ui/form.html", {"form": Notes({"note": "x" * 31, "names": "a"})}, request=rf.get("/")
    )
    assert "maxlength" not in html
    assert "31/30" in html
    assert "at most 30 characters" in html


def test_the_counter_counts_as_the_platform_does(rf):
    class Names(forms.Form):
        nickname = forms.CharField(max_length=32, widget=forms.TextInput(attrs={"data-count": "wide"}))

    assert "18/32" in page(Names({"nickname": "世纪公园路二号桥_1"}), rf)
